#!/usr/bin/env bash
# Draws the gallery anew, in the folder that it is called from: a few minutes, no key, no network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

# The published results, from their scores.
needle import --format kamradt --model "GPT-4 Turbo" --language en --needle san-francisco \
  --date 2023-11-08 --out "$work/published" "$here/published/gpt-4-1106-preview.csv"
needle import --format kamradt --model "Claude 2.1" --language en --needle san-francisco \
  --date 2023-11-21 --out "$work/published" "$here/published/claude-2.1.csv"
gpt=("$work"/published/*GPT-4*) claude=("$work"/published/*Claude*)
cp "${gpt[0]}/heatmap-single-en.png" published-gpt-4-turbo.png
cp "${gpt[0]}/heatmap-single-en.svg" published-gpt-4-turbo.svg
cp "${claude[0]}/heatmap-single-en.png" published-claude-2.1.png
cp "${claude[0]}/heatmap-single-en.svg" published-claude-2.1.svg
needle compare "${gpt[0]}" "${claude[0]}" --side-by-side --out "$work/sheet" \
  --placeholder "Kimi Chat: waits for a run against Moonshot's endpoint, which takes a key"
cp "$work/sheet/sheet-single.png" published-sheet.png
cp "$work/sheet/sheet-single.svg" published-sheet.svg

# Three vendors' presets against three servers on loopback, each with a surface of its own.
export OPENAI_API_KEY=none ANTHROPIC_API_KEY=none MOONSHOT_API_KEY=none
ask=()
for pair in gpt-4-turbo=sim/window claude-2.1=sim/middle moonshot-v1-128k=sim/reader; do
  told=$work/server-${pair%=*}
  needle simulate --as "$pair" >"$told" & servers+=($!)
  until grep -qs serving "$told"; do sleep 0.2; done
  ask+=(--model "${pair%=*}" --base-url "${pair%=*}=$(sed 's/serving on //' "$told")")
done
needle run "${ask[@]}" --lengths 1k,8k,16k,32k,64k,100k --depth-count 11 --replicates 10 \
  --out "$work/vendors" --yes
runs=("$work"/vendors/*gpt* "$work"/vendors/*claude* "$work"/vendors/*moonshot*)
for labels in en zh; do
  needle compare "${runs[@]}" --labels "$labels" --out "$work/$labels"
  cp "$work/$labels/sheet-single.png" "vendors-sheet-$labels.png"
  cp "$work/$labels/difference-single-$labels-claude-2.1-and-gpt-4-turbo.png" "difference-$labels.png"
done

# The simulated surfaces by their own names.
needle run --model sim/window --model sim/middle --model sim/reader --replicates 3 --out "$work/sim" \
  --lengths 1k,4k,16k,32k,64k,96k,128k --depth-count 11 --reply-tokens 64 --yes
for labels in en zh; do
  needle compare "$work"/sim/*window* "$work"/sim/*middle* "$work"/sim/*reader* \
    --labels "$labels" --out "$work/sim-$labels"
  cp "$work/sim-$labels/sheet-single.png" "surfaces-sheet-$labels.png"
done
