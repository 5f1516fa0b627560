"""What cleaning fetched texts mends, and what it leaves alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import needle.contexts.cleaning
from needle.contexts.cleaning import clean_novel, mend_paragraphs, mend_signs


@pytest.mark.parametrize(
    ("glued", "mended"),
    [
        ("July 2010What hard liquor", "July 2010\n\nWhat hard liquor"),
        ("May 2001(This article", "May 2001\n\n(This article"),
        ("March 2008, rev. June 2008It is", "March 2008, rev. June 2008\n\nIt is"),
        ("is accelerating.We wouldn't", "is accelerating.\n\nWe wouldn't"),
        ("an end in itself?Then", "an end in itself?\n\nThen"),
        ('"never work."Anyone who', '"never work."\n\nAnyone who'),
        ('He does.Always.\n\nDo it."Always" is', 'does.\n\nAlways.\n\nDo it.\n\n"Always" is'),
        ('like "Tim.""Oh, that is', 'like "Tim."\n\n"Oh, that is'),
        ("each other.)Thanks to", "each other.)\n\nThanks to"),
        ("back to the US.I wanted", "back to the US.\n\nI wanted"),
        ("and so on.3. Recursion.  It", "and so on.\n\n3. Recursion.  It"),
        ("for a year.[2] Others do", "for a year.\n\n[2] Others do"),
        ("at work.\n[1]No one doubts", "at work.\n[1]\n\nNo one doubts"),
        ("for it.Notes[1]\nWhen I", "for it.\n\nNotes\n\n[1]\nWhen I"),
        ("karma leak.* * *How did", "karma leak.\n\n* * *\n\nHow did"),
        ("more people.UniversitiesThe best", "more people.\n\nUniversities\n\nThe best"),
        ("for it.Two Types of PeopleI think", "for it.\n\nTwo Types of People\n\nI think"),
    ],
)
def test_essays_part_what_was_glued(glued: str, mended: str) -> None:
    """A sentence's end right before a capital ends a paragraph, and so do dates and headings."""
    assert mend_paragraphs(glued).endswith(mended)


@pytest.mark.parametrize(
    "text",
    [
        "It runs on Node.js and ASP.NET today.",
        "P.G. Wodehouse had a Ph.D. from the U.S. once.",
        "Nicole in Sexbuzz.Com (a magazine) and del.icio.us too.",
        "Does Web 2.0 mean anything? A Web 2.0 Conference does.",
        "(using Arc syntax)(if foo (= x 1) (= x 2))",
        "VisiCalc made the Apple II. MySpace and WePay and iPhones came later.",
        "He said.\n[2]\nNext paragraph. And so on.",
        'He said "no." Then he left. "Wait!" she said.',
        "Back in November\n2002, April 2002,\nand February.",
    ],
)
def test_essays_keep_what_is_whole(text: str) -> None:
    """Names, initials, numbers and code stay as they are."""
    assert mend_paragraphs(text) == text


@given(st.text(alphabet="Ab.? \n\"[1]('", max_size=60))
def test_mending_only_adds_paragraph_breaks(text: str) -> None:
    """Mending takes nothing away but spaces between lines, whatever the text."""
    assert "".join(mend_paragraphs(text).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\r\n------------\r\n\r\n第1章 灵根\r\n\r\n    诗曰：\r\n", "第1章 灵根\n\n诗曰：\n"),
        ("\u3000\u3000一。\r\n\r\n\r\n\r\n  二。", "一。\n\n二。\n"),
        ("    ----打一用物。", "----打一用物。\n"),
        ("撰此lt;lt;石头记gt;gt;一书", "撰此《石头记》一书\n"),
        ("lt;lt;西游记gt; gt;，lt; lt;八义gt;gt;", "《西游记》，《八义》\n"),
        ("lt;lt;咏lt;太极图gt;gt;gt;，限", "《咏〈太极图〉》，限\n"),
        ("玉在\ue7bb中求善价", "玉在椟中求善价\n"),
        ("幸而\ue2c7钊硕疾辉\ue25f\ue425*，只有", "幸而诸人都不曾听见，只有\n"),
        ("不知\ue000何字\ufffd", "不知何字\n"),
    ],
)
def test_novels_lose_the_marks_of_their_making(raw: str, clean: str) -> None:
    """Line ends, indentation, chapter dashes, entities and lost characters are set right."""
    assert clean_novel(raw) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("莫大如。孝&#039;字，想来", "莫大如‘孝’字，想来"),
        ("只叫。姐姐&#039;。妹妹&#039;的", "只叫‘姐姐’‘妹妹’的"),
        ("竟比。\n\n书成蕉叶&#039;犹觉", "竟比‘书成蕉叶’犹觉"),
        ("古人有云：。编新不如述旧。&#039;况此处", "古人有云：‘编新不如述旧。’况此处"),
        ("都说：&#039;岁寒然后知松柏。&#039;可知", "都说：‘岁寒然后知松柏。’可知"),
        ("你就这么&#039;跑解马&#039;似的", "你就这么‘跑解马’似的"),
        ("说了。他走了。&#039;后又", "说了。他走了。’后又"),
        ("凤姐道：&#039;说迟了一日。“贾蓉", "凤姐道：“说迟了一日。“贾蓉"),
    ],
)
def test_inner_quotations_get_their_marks_back(raw: str, clean: str) -> None:
    """An entity closes a quotation, and the full stop that opened it becomes its mark again."""
    assert mend_signs(raw) == clean


def test_lost_characters_are_a_sentence_read_one_byte_off() -> None:
    """What stands for the garbled run has the bytes that are left of it."""
    lost = next(lost for lost in needle.contexts.cleaning._LOST if "钊" in lost)  # noqa: SLF001
    readable = "".join(sign for sign in lost if "\u4e00" <= sign <= "\u9fff").encode("gbk")
    assert readable in needle.contexts.cleaning._LOST[lost].encode("gbk")  # noqa: SLF001
