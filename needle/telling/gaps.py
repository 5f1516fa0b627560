"""What the command that makes a run again can't say by itself, in both languages. Pure."""

from dataclasses import dataclass
from typing import Literal

from needle.words.types import Language

Kind = Literal[
    "needle_file",
    "prompt_file",
    "needle_lost",
    "answers",
    "haystack_fetched",
    "haystack_own",
    "haystack_changed",
    "haystack_other",
    "tokenizer",
    "model",
    "temperature",
    "limits",
    "ratio",
    "imported_files",
    "imported_needle",
]


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that a command leaves open: of what kind, and which."""

    kind: Kind
    what: str


_WORDS: dict[Kind, tuple[str, str]] = {
    "needle_file": (
        "its needle was a file of the user's own: {} draws the same ones",
        "针来自用户自己的文件，用 {} 可以原样抽出",
    ),
    "prompt_file": (
        "its prompt was a file of the user's own: {} has the same words",
        "提示词来自用户自己的文件，{} 里一字不差",
    ),
    "needle_lost": (
        "the needle {} was a file of the user's own that run.yaml can't give back: put it there",
        "针 {} 来自用户自己的文件，无法由 run.yaml 还原，须自备",
    ),
    "answers": (
        "the needle {} has other accepted answers now than the run was scored by",
        "针 {} 现在的标准答案与当时评分所用的不同",
    ),
    "haystack_fetched": (
        "the haystack {0} does not ship with needle: needle haystacks fetch {0} brings it",
        "草堆 {0} 不随 needle 发布，先用 needle haystacks fetch {0} 取来",
    ),
    "haystack_own": (
        "the haystack {} was a folder of the user's own: run.yaml has its sha256",
        "草堆 {} 是用户自己的文件夹，run.yaml 里有它的 sha256",
    ),
    "haystack_changed": (
        "the haystack {} is not, or no longer, on this machine as it was: run.yaml has its sha256",
        "本机没有当时的草堆 {}，或者它已经变了；run.yaml 里有它的 sha256",
    ),
    "haystack_other": (
        "the task cross also wants a text in {}, which does not shape the run: any will do",
        "cross 任务还需要一份 {} 文本，它不影响结果，任取一份即可",
    ),
    "tokenizer": (
        "the tokenizer {} was a file of the user's own: run.yaml has the beginning of its sha256",
        "分词器 {} 是用户自己的文件，run.yaml 里有它 sha256 的开头",
    ),
    "model": (
        "this needle knows {} otherwise than the run did: run.yaml has all of it under model",
        "needle 现在对 {} 的记载与当时不同，当时的记载全在 run.yaml 的 model 项下",
    ),
    "temperature": (
        "the run set no temperature for {}, and no option says so",
        "当时没有给 {} 设温度，而命令行无法表达这一点",
    ),
    "limits": (
        "the run held to {} requests at once by its tier: --concurrency says as much",
        "当时按限额档位最多同时发 {} 个请求，可用 --concurrency 代替",
    ),
    "ratio": (
        "lengths were fitted to the own count of {}: it is asked anew, and may count otherwise now",
        "长度按 {} 自己的计数定出，重跑时会再问一次；它的计数若有变化，提示词也会不同",
    ),
    "imported_files": (
        "the imported files are named without their folders: {}; run.yaml has their sha256",
        "导入的文件只记了文件名：{}；它们的 sha256 在 run.yaml 里",
    ),
    "imported_needle": (
        "it was imported with a needle of the user's own (--needle), of which the path is not kept",
        "导入时用 --needle 指定了用户自己的针，路径没有留存",
    ),
}


def describe_gap(gap: Gap, language: Language) -> str:
    """Say in one sentence what a command leaves open."""
    return _WORDS[gap.kind][language == "zh"].format(gap.what)
