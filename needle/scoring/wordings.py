"""The words by which replies decline, say that the text does not say, ask back, or guess. Pure.

Regular expressions over a text in one width and case, with simplified characters and straight
apostrophes (``folding.plain``). Each line is one general wording, with an example where it is
not plain.
"""

import re


def _any(*wordings: str) -> re.Pattern[str]:
    return re.compile("|".join(wordings))


_CANNOT = (
    r"(?:can(?:not| not|'?t)|could(?: not|n't)|wo(?: not|n't)|will not|do(?: not|n't)|not able to|"
    r"(?:'m|am|'re|are|was) unable to|(?:'m|am|'re|are|is|was)(?: not|n't) "
    r"(?:able|going|in a position|here|designed|meant|trained|programmed) to)"
)
_DO = (  # what one declines to do; to find or to tell is not among it
    r"(?:help|assist|comply|fulfill?|satisfy|discuss|engage|participate|continue|proceed|share|"
    r"disclose|reveal|divulge|hand (?:it|this|that|them )?(?:out|over)|"
    r"give (?:it |this |that |them )?out|provide|supply|reproduce|repeat|support|process|generate|"
    r"create|produce|do (?:that|this|so|it)\b|respond to (?:that|this|such)|go into|comment on|"
    r"talk about|be of (?:help|assistance))"
)
_SCRUPLE = (
    r"(?:privacy|private|personal (?:data|information|details)|confidential\w*|sensitive|security|"
    r"safety|unsafe|harm\w*|copyright\w*|proprietary|ethic\w*|legal(?:ly)?|illegal|trade secrets?|"
    r"credentials?|passwords?|passcodes?|access codes?|intellectual property|unauthori[sz]ed)"
)
_RULES = (
    r"(?:polic(?:y|ies)|guidelines?|terms of (?:use|service)|"
    r"(?:safety|security|content|community|usage|ethical) (?:rules|standards|principles))"
)
_LAW = r"(?:政策|规定|准则|规范|法律|法规|条例|条款)"
_WONT = r"(?:不(?:能|可以?|便|方便|宜|得|予|应)|无法|没法|恕|拒绝)"
_TELL = r"(?:提供|透露|回答|讨论|告知|答复|展示|公开|评论|回应|外传|谈论|显示)"

REFUSED = _any(  # declines by a rule or a scruple, whatever it says of the text
    r"\b(?:against|violat\w+|breach\w*|contravenes?|conflicts? with|not in line with|prohibited by|"
    rf"forbidden by|(?:not |un)?(?:permitted|allowed) by)\b[\w', ]{{0,40}}(?:{_RULES}|rules)\b",
    rf"\b(?:my|our|the)\b[\w ]{{0,24}}{_RULES}\b[\w ]{{0,12}}"
    r"(?:do(?: not|n't)|prevents?|prohibits?|forbids?|bars?|stops?)\b",
    r"\bi\b[\w' ]{0,20}\b(?:not|n't) (?:allowed|permitted|authori[sz]ed|comfortable|willing)\b",
    r"\bi\b[\w' ]{0,12}\b(?:do not|don't) feel comfortable\b",
    r"\bi\b[\w' ]{0,24}\b(?:decline|refuse|prefer not|rather not)\b",
    r"\b(?:response|content|request|prompt|message|question|output)\b[\w ]{0,20}"
    r"\b(?:was|has been|is|were|been)\b[\w ]{0,14}"
    r"\b(?:withheld|blocked|flagged|filtered|removed|refused|rejected)\b",
    rf"{_CANNOT} (?:\w+ ){{0,3}}?{_DO}\b[^.!?]{{0,60}}\b{_SCRUPLE}\b",  # can't share passwords
    rf"\b{_SCRUPLE}\b[^.!?]{{0,40}}(?:{_CANNOT}|n't|unable to) (?:\w+ ){{0,3}}?{_DO}\b",
    rf"(?:违反|违背|不符合|有违|触犯|触发|抵触)了?[^。!?]{{0,16}}(?:{_LAW}|审核|制度|原则|规则)",
    rf"(?:根据|按照?|依照?|依据|遵照|受限于|由于)[^。!?]{{0,16}}{_LAW}[^。!?]{{0,16}}"
    r"(?:不|无法|没法|恕|拒绝)",
    r"(?:隐私|敏感|安全|机密|保密|秘密|版权|产权|伦理|道德|违规|违法)[^。!?]{0,24}"
    rf"{_WONT}(?![^。!?]{{0,6}}(?:找|查|判断|确定|得知))",
    r"(?:不(?:能|可以?|便|得|应)|无法)[^。!?]{0,24}(?:属于|涉及|含有|包含|侵犯|泄露)[^。!?]{0,8}"
    r"(?:隐私|敏感|机密|秘密|违规|违法|版权|产权)",
    r"(?:含有?|包含|存在|涉及|触发|命中)[^。!?]{0,8}(?:敏感(?:词|信息|内容)|违规内容|安全风险|风险内容)",
    r"(?:已|被)(?:系统)?(?:拦截|屏蔽|过滤)",
    r"我(?:必须|只能|不得不|要|会)?(?:拒绝|谢绝)",
    r"恕我?(?:不|难|无法)",
    rf"(?:不便|不方便|不宜|不适合|不适宜|不予)[^。!?,]{{0,8}}{_TELL}",
    r"被(?:设定|设计|编程|训练|要求)[^。!?]{0,6}不",
    r"(?:不允许|不准|禁止)我",
)
DECLINED = _any(  # declines without a reason; a reason that lies in the text goes before it
    rf"\b(?:i|we)\b[\w', ]{{0,24}}?{_CANNOT} (?:\w+ ){{0,3}}?{_DO}\b"
    r"(?! (?:an?|the|any|you with an?) answer)",
    r"\bnot something (?:that )?(?:i|we) (?:can|could|am able to|will)\b",
    r"\b(?:talk|chat) about something else\b|\bchange the (?:subject|topic)\b",
    r"\b(?:let's|let us) (?:move on|change|switch)\b",
    r"(?:无法|不能|不可以|没法|没办法|没有办法|无权|不会|不可)(?:再|继续)?(?:为|向|帮|给|对|就|把|将)?"
    r"(?:您|你|大家|此|该|这|用户)?[^。!?,]{0,6}?(?:提供|协助|帮助|帮(?:您|你)|讨论|参与|满足|执行|处理|继续|"
    r"透露|泄露|披露|告诉|告知|分享|公开|评论|发表|这样做|这么做|回应|完成|支持|配合|遵从|照办)",
    r"(?:换个|换一个|转换)(?:话题|问题)|聊(?:点|些|聊)?(?:别的|其他|其它)|问我?(?:别的|其他|其它)",
    r"还?没有?学(?:会|习)",
    r"(?:我|忙)[^。!?]{0,6}帮不(?:了|上)|帮不(?:了|上)(?:您|你)|爱莫能助",
)

_NOT = r"(?:not|n't|never|cannot|without|neither|nor|fails? to|failed to|unable to|yet to)"
_TOLD = (
    r"(?:mention\w*|stat(?:e|es|ed|ing)|sa(?:y|ys|id)|specif\w+|provid\w+|contain\w*|includ\w+|"
    r"give\w*|list\w*|f(?:i|ou)nd|locat\w+|appear\w*|discuss\w*|address\w*|cover\w*|describ\w+|"
    r"nam(?:e|es|ed)|refer\w*|indicat\w+|answer\w*|determin\w+|tell|know\w*|clear\w*|present|"
    r"available|explain\w*|identif\w+|detect\w*|see|certain|sure|enough|sufficient|offer\w*|"
    r"touch\w*|speak\w*|talk\w*|have (?:any|enough|the|access|that|this|sufficient)|"
    r"be (?:found|determined|inferred|answered)|shown|record\w*|report\w*|reveal\w*|exist\w*|"
    r"come up|go into|deal\w*|seem to be|make)"
)
_THINGS = (
    r"(?:mentions?|info(?:rmation)?|references?|details?|data|records?|answers?|indications?|"
    r"statements?|signs?|traces?|evidence|passages?|way|such|figures?|clues?|context|knowledge|"
    r"idea|description|specifics|content|matches?|results?|discussion|section|lines?|words?)"
)
_ASIDE = r"(?! (?:why|how come|anything else|anything more|more|the reason|any further|further))"

LACKING = _any(  # says that the text has no answer, or that the model has none
    rf"(?:\b{_NOT}\b|n't)(?: \w+){{0,5}}? {_TOLD}\b{_ASIDE}",
    rf"\bno(?: [\w-]+){{0,3}}? {_THINGS}\b",
    rf"\bno (?:[\w-]+ ){{1,5}}?(?:is|are|was|were) (?:{_TOLD}|given)\b",
    r"\bno (?:[\w-]+ ){1,4}?(?:appears?|exists?|comes? up)\b",
    r"\bnothing\b[\w ]{0,24}\b(?:about|on|in|here|there|says?|tells?|mentions?|of)\b",
    rf"\bnone of\b[\w' ]{{0,40}}\b(?:is|are|was|were|mentions?|says?|tells?|names?|{_TOLD})\b",
    r"\b(?:offers?|gives?|contains?|has|holds?|provides?|includes?) (?:\w+ )?(?:none|no|nothing)\b",
    r"\b(?:is|are|was|remains?|stays?) (?:silent|unclear|unknown|unspecified|unstated|missing|"
    r"absent|unmentioned|omitted)\b",
    r"\b(?:insufficient|not enough|lacks?|lacking|missing|omits?) (?:any |the |enough )?\w*",
    r"\bunanswerable\b|\bi (?:do not|don't) know\b|\bnot sure\b|\bno idea\b|\bnowhere\b",
    r"\bcut off\b|\btruncated\b|\bincomplete\b",
    r"(?:没有?|未|并未|并无|未曾|不曾|无|从未|尚未|毫无)[^。!?,;、]{0,10}?"
    r"(?:提到|提及|提供|说|写|给出|列出|记载|记录|描述|涉及|出现|找到|查到|查询|检索|包含|交代|介绍|谈到|讲|指出|"
    r"指明|标明|标注|答案|内容|信息|资讯|线索|相关|看到|看见|发现|资料|关于|论述|叙述|数据|此项|任何|透露|明示|"
    r"述及|解释|注明|收录|见到|有关|文档|文件|附件|文本|依据|提|答复|定论)(?!(?:原因|为什么|理由))",
    r"(?:只字|一字)(?:未|不)",
    r"(?:找|查|看|搜|检索|读)(?:寻|询)?不(?:到|出|见)",
    r"不(?:详|明|存在|清楚|知道|知|确定|得而知|晓得|足|够|能确定|能判断|包含|包括|含|涉及)",
    r"无从|未知|被截断|不完整|无可奉告|查无",
    r"无法(?:直接|准确|据此|从[^。!?]{0,12})?"
    r"(?:回答|作答|判断|得知|得出|确定|找到|获知|知道|知晓|推断|推知|给出|确认|获取|得到)",
)
BARE = re.compile(  # the whole of a reply that has no answer
    r"(?:the answer is |答案是?)?(?:n/?a|none|nil|null|unknown|nothing|unanswerable|unspecified|"
    r"not (?:given|found|available|mentioned|stated|specified|provided|applicable|known)|"
    r"no (?:answer|information|data|mention)|"
    r"无|没有|没|暂无|未知|不详|不明|无答案|未(?:提供|提及|说明|找到|知|注明|标明))"
)
GROUND = _any(  # "I can't provide that" for a reason that lies in the text
    r"\b(?:based on|according to|from|in) (?:the|this|these|your|what)\b[\w ]{0,24}\b"
    r"(?:text|document|context|passage|essays?|articles?|material|content|you (?:gave|provided))\b",
    r"(?:根据|依据|基于|按|从|在)[^。!?,]{0,10}"
    r"(?:文档|文件|文本|文章|内容|资料|材料|上下文|原文|文中|信息)",
)
ASKS_BACK = _any(
    r"\b(?:could|can|would) you\b|\bplease\b|\bdo you mean\b|\bare you (?:asking|referring)\b",
    r"\bwhich\b|\bwhat do you\b",
    r"请问|您指|你指|您是指|你是指|哪(?:一|个|部分|里)|能否|可否|是否指",
)
GUESS = _any(
    r"\bguess\b|\bi(?:'d| would)? (?:suppose|assume|imagine|think|believe|infer)\b",
    r"\bpresumably\b|\bperhaps\b|\bprobably\b|\blikely\b|\bmaybe\b|\bone (?:can|could) infer\b",
    r"\b(?:might|may|could) (?:well )?be\b(?! able| glad| happy| help)",
    r"\bsuggests?\b|\bimpl(?:y|ies)\b|\bgeneral(?:ly)? (?:knowledge|known)\b|\bknown for\b",
    r"\busually\b|\btypically\b|\btraditionally\b|\bcommonly\b",
    r"猜|推测|推断是|可能是|也许|或许|大概|大约|应该是|应当是|多半|想必|估计|一般来说|一般而言|通常|据说",
    r"众所周知|按常识|常识|恐怕是|看来是|不妨",
)
CLAUSES = re.compile(
    r"[.!?;:,\n。！？；：，、]+|\bbut\b|\bhowever\b|\bthough\b|但是?|不过|然而|只是"
)
