"""Cleaning fetched texts: what their making left in them goes, no word does. Pure.

Only what is certain is mended; what is lost beyond that stays as it came.
"""

import re

_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff\ufffd]")
# Characters that the files' makers had no code for, told by the words around them; the last
# is seven characters whose bytes were read one off.
_LOST = {
    "玉在\ue7bb中": "玉在椟中",
    "飞觥限\ue7b6": "飞觥限斝",
    "即\ue7ba视": "即瞋视",
    "仙\ue7ac": "仙輀",
    "拿来\ue7ad在": "拿来塞在",
    "菩提萨\ue485": "菩提萨埵",
    "\ue2c7钊硕疾辉\ue25f\ue425*": "诸人都不曾听见",
}
_OPEN_TITLE = re.compile("lt; *lt;")
_CLOSE_TITLE = re.compile("gt; *gt;")
# ' as an entity. It closes a quotation; what opened it has become a full stop, often with
# the break after a paragraph's end behind it.
_QUOTED = (
    re.compile("&#039;([^&\n“”。！？，]{1,8})&#039;"),
    re.compile("。(?:\n+)?([^。！？：“”‘’&\n]{1,12})&#039;"),
    re.compile("。([^。！？：“”‘’&\n]{1,40})&#039;"),
    re.compile("(?<=[：，说道云叫])。([^“”‘’&\n]{1,60})&#039;"),
    re.compile("(?<=：)&#039;([^“”‘’&\n]{1,60})&#039;"),
)  # what is left after a colon opens a whole speech


def clean_novel(text: str) -> str:
    """Clean a Chinese novel: one line a paragraph, no dashes between chapters, signs restored."""
    lines = (line.strip() for line in unify_lines(text).split("\n"))
    text = "\n".join("" if line and not line.strip("-") else line for line in lines)
    text = close_gaps(text)
    for lost, right in _LOST.items():
        text = text.replace(lost, right)
    return _PRIVATE.sub("", mend_signs(text))


def mend_signs(text: str) -> str:
    """Restore what was written as entities: titles' brackets and inner quotation marks."""
    # One title stands within another and closes together with it.
    text = _CLOSE_TITLE.sub("》", text.replace("lt;太极图gt;gt;gt;", "〈太极图〉gt;gt;"))
    text = _OPEN_TITLE.sub("《", text).replace("lt;", "〈").replace("gt;", "〉")
    for quoted in _QUOTED:
        text = quoted.sub(r"‘\1’", text)
    return text.replace("：&#039;", "：“").replace("&#039;", "’")


_CONTROL = re.compile("[\x80-\x9f]")
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(rf"^({_MONTH} \d{{4}}(?:, rev\. {_MONTH} \d{{4}})?)(?=[A-Z\"(])", re.MULTILINE)
_RULE = re.compile(r"(?<=\S)(\* \* \*|_{3,})\n?(?=\S)")
_MARK = re.compile(r"(\[\d+\])(?=[A-Z])")  # a note's mark at the end of a paragraph
# A sentence's end with the next one's first letter right behind it. The end follows a word, a
# number or a bracket, not an initial; what comes is no second initial and no Internet name.
_GLUED = re.compile(
    r"(?:(?<=[a-z0-9%)\]\"'])|(?<=[A-Z]{2}))[.?!][.?!\"')\]]*"
    r"(?=[(\[]?(?!(?:Com|Net|NET|Org|Js|JS)\b)[A-Z](?!\.)|(?<!\d\.)\d{1,2}\.? [A-Z]|\[\d+\] [A-Z])"
)
_NAMES = "Mac|Mc|My|Visi|Info|Alta|Web|We|You|Pay|Java|Geo|Farm|Face|Base|Hot|Power|Auto|Ok"
_HEADING = re.compile(
    r"(?:(?<=\n\n)|\A)((?:\d{1,2}\.? )?"
    rf"(?!(?:{_NAMES})[A-Z])[A-Z][\w'-]*?(?:,? (?:a|an|and|for|in|is|not|of|or|than|the|to"
    rf"|(?!(?:{_NAMES})[A-Z])[A-Z][\w'-]*?))*(?<=[a-z])\)?)(?=[\"A-Z])(?!\"[ ,.])"
)


def clean_essay(text: str) -> str:
    """Clean an English essay: its paragraphs apart, its dashes and spaces the usual ones."""
    text = unify_lines(text).replace("\u00a0", " ")
    text = _CONTROL.sub(lambda sign: sign[0].encode("latin-1").decode("cp1252", "ignore"), text)
    return close_gaps(mend_paragraphs(text))


def mend_paragraphs(text: str) -> str:
    """Part paragraphs that were glued together, and a date or a heading from what follows."""
    text = _DATE.sub(r"\1\n\n", text)
    text = _RULE.sub(r"\n\n\1\n\n", text)
    text = _MARK.sub(r"\1\n\n", text)
    parts, last = [], 0
    for match in _GLUED.finditer(text):
        place = match.end()
        start = max(last, text.rfind("\n\n", last, place))
        if match[0].endswith('"') and text.count('"', start, place) % 2:
            place -= 1  # the mark opens the next paragraph's first words
        parts.append(text[last:place])
        last = place
    text = "\n\n".join([*parts, text[last:]])
    text = re.sub(r"^(Notes)(?=\[)", r"\1\n\n", text, flags=re.MULTILINE)
    return _HEADING.sub(r"\1\n\n", text)


def unify_lines(text: str) -> str:
    """End every line with LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def close_gaps(text: str) -> str:
    """Take spaces from the ends of lines, and leave one empty line where there are several."""
    text = re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
