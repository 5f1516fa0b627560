"""Make a tiny model of random weights for llama.cpp, and the tokenizer that it counts with.

Run in the environment of llama.cpp, as ``python make_model.py FOLDER``: it leaves model.gguf
and tokenizer.json there. The same seed and haystacks give the same files, byte for byte. The
model knows nothing; it is there for the protocol.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

HAYSTACKS = Path(__file__).resolve().parents[2] / "haystacks"
SEED = 20261124
VOCABULARY, WIDTH, LAYERS, HEADS, WINDOW = 4_096, 32, 2, 2, 262_144
MARKS = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
# Marks stand around every content, so that it is encoded by itself: counts add up.
CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}<|assistant|>"
)
ENDING = 4.0  # how much more than any other token the end is favoured: some replies do end


def train_tokenizer(path: Path) -> tuple[list[str], list[str]]:
    """Train GPT-2's kind of tokenizer on the haystacks; return its tokens and merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=MARKS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train([str(text) for text in sorted(HAYSTACKS.rglob("*.txt"))], trainer)
    tokenizer.save(str(path))
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return tokens, [" ".join(merge) for merge in model["merges"]]


def write_model(path: Path, tokens: list[str], merges: list[str]) -> None:
    """Write a Llama of random weights with this vocabulary."""
    kinds = [
        gguf.TokenType.CONTROL if token in MARKS else gguf.TokenType.NORMAL for token in tokens
    ]
    end = tokens.index(MARKS[0])
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("needle-random")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT)
    for name, weights in draw_weights(len(tokens), end):
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def draw_weights(vocabulary: int, end: int) -> list[tuple[str, "np.typing.NDArray[np.float32]"]]:
    """Draw every tensor of the model from the seed."""
    draw = np.random.default_rng(SEED)

    def drawn(*shape: int) -> "np.typing.NDArray[np.float32]":
        return (0.2 * draw.standard_normal(shape)).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    output = drawn(vocabulary, WIDTH)
    output[end] *= ENDING
    weights = [
        ("token_embd.weight", drawn(vocabulary, WIDTH)),
        ("output.weight", output),
        ("output_norm.weight", ones),
    ]
    shared = WIDTH // HEADS
    for layer in range(LAYERS):
        weights += [
            (f"blk.{layer}.attn_norm.weight", ones),
            (f"blk.{layer}.ffn_norm.weight", ones),
            (f"blk.{layer}.attn_q.weight", drawn(WIDTH, WIDTH)),
            (f"blk.{layer}.attn_k.weight", drawn(shared, WIDTH)),
            (f"blk.{layer}.attn_v.weight", drawn(shared, WIDTH)),
            (f"blk.{layer}.attn_output.weight", drawn(WIDTH, WIDTH)),
            (f"blk.{layer}.ffn_gate.weight", drawn(2 * WIDTH, WIDTH)),
            (f"blk.{layer}.ffn_up.weight", drawn(2 * WIDTH, WIDTH)),
            (f"blk.{layer}.ffn_down.weight", drawn(WIDTH, 2 * WIDTH)),
        ]
    return weights


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_model(folder / "model.gguf", *train_tokenizer(folder / "tokenizer.json"))
