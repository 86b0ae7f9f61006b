#!/usr/bin/env bash
# All stages trained on one GPU in two commands of at most 10 minutes each, on a machine without network:
#   [WHEELS=FOLDER] [OUT=FOLDER] scripts/gpu_train.sh render [--dry-run]   30 s of trial, then scenes until RENDER_S is over
#   [OUT=FOLDER] scripts/gpu_train.sh train [--dry-run]                    initial, keypoints, refinement; weights into OUT
# In between everything stays in build/gpu/ (IM2HANDS_GPU_DIR). FROM=scratch begins anew; else the packaged weights are trained further.
# Seconds: RENDER_S (240), TRAIN_S (450, of all stages). The weights come in parts of at most 15 MiB:
#   cat weights.safetensors.part* >weights.safetensors && sha256sum -c weights.sha256
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh
phase="${1:-}"
case "$phase" in render | train) shift ;; *) stop "say what to do: render or train (with --dry-run for a trial)" ;; esac
source scripts/gpu_setup.sh

data="$work/data" runs="$work/runs"
packaged="$PWD/im2hands_ros/data/weights/compact.safetensors"
im2hands() { "$python" -m im2hands_ros.cli "$@"; }
if [ -n "$dry" ]; then
  workers=1 shard=2 trial=4 scenes=4 validation=2 render_s=120 train_s=60 device=cpu precision=fp32
  batch=(--batch 2 --points 16) trial_steps=3
else
  workers="$(nproc)" shard=256 trial=64 scenes=70000 validation=512 device=cuda precision=bf16
  render_s="${RENDER_S:-240}" train_s="${TRAIN_S:-450}"
  batch=(--batch 64) trial_steps=60
fi

# Scenes until the seconds are over; whole shards stay.
render() {  # FOLDER SPLIT START COUNT SECONDS SHARD
  timeout -s INT "$5" "$python" -m im2hands_ros.cli synthesize --split "$2" --start "$3" --count "$4" --out "$1/$2" \
    --workers "$workers" --shard-size "$6" 2>&1 | tail -n 1 || true
  ls "$1/$2"/*.npz >/dev/null 2>&1 || stop "no scenes were drawn into $1/$2"
}

train() {  # STAGE DATA RUN STEPS [UNTIL] -- begins with the weights in "$weights"
  local more=(--keypoint-only-steps 0)
  [ "${FROM:-packaged}" != scratch ] || [ "$1" = refinement ] || more=(--keypoint-only-steps $(($4 / 2)))
  [ -z "$weights" ] || more+=(--weights "$weights")
  im2hands train "$1" --data "$2" --out "$3" --steps "$4" --until "${5:-$4}" --device "$device" \
    --precision "$precision" "${batch[@]}" "${more[@]}"
}

weights="$packaged"
[ "${FROM:-packaged}" != scratch ] || weights=""

# Steps a second of a stage with images, by the times in the log of a short run.
rate_of() {  # STAGE
  local run="$runs/trial_$1"
  rm -rf "$run"
  FROM=packaged train "$1" "$data/trial" "$run" 1000000 "$trial_steps" >>"$out/trial.log" 2>&1 || return 1
  "$python" - "$run/log.jsonl" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
times = [line["time"] for line in lines if "validation" not in line]
times = times[len(times) // 4:]  # the first steps choose kernels
print(round((len(times) - 1) / max(times[-1] - times[0], 1e-3), 2))
PYTHON
}

case "$phase" in
  render)
    say "a trial of 30 seconds: $trial scenes, and steps of every stage"
    render "$data/trial" train 0 "$trial" 120 "$((trial / 2))"
    render "$data/trial" val 0 "$validation" 120 "$validation"
    : >"$out/trial.log" >"$out/rates.txt"
    for stage in initial keypoints refinement; do
      rate="$(rate_of "$stage")" || stop "the stage $stage does not train: $(tail -n 1 "$out/trial.log")"
      echo "$stage $rate" >>"$out/rates.txt"
      weights="$runs/trial_$stage/best.safetensors"
    done
    mkdir -p "$runs" && cp "$out/rates.txt" "$runs/rates.txt"
    say "steps a second: $(tr '\n' ' ' <"$out/rates.txt")"
    mkdir -p "$data/val" && cp "$data/trial/val/"* "$data/val/"
    say "drawing scenes for $render_s s on $workers cores"
    [ -z "$dry" ] || cp -r "$data/trial/train" "$data/"
    render "$data" train 0 "$scenes" "$render_s" "$shard"
    say "$(ls "$data/train" | wc -l) shards of $shard scenes, $(du -sh "$data/train" | cut -f 1)"
    ;;
  train)
    [ -s "$runs/rates.txt" ] || stop "there are no scenes and rates in $work: run 'scripts/gpu_train.sh render' first"
    while read -r stage rate; do
      case "$stage" in initial) share=0.4 ;; keypoints) share=0.4 ;; *) share=0.2 ;; esac
      steps="$(echo "$rate $train_s $share" | awk '{n = int($1 * $2 * $3 * 0.9); print (n > 2 ? n : 2)}')"
      [ -z "$dry" ] || steps=2
      say "$stage: $steps steps"
      train "$stage" "$data" "$runs/$stage" "$steps" 2>&1 | tail -n 3
      weights="$runs/$stage/best.safetensors"
      cp "$runs/$stage/log.jsonl" "$out/$stage.jsonl"
    done <"$runs/rates.txt"
    cp "$weights" "$work/weights.safetensors"
    rm -f "$out"/weights.safetensors.part*
    split -b 15M -d "$work/weights.safetensors" "$out/weights.safetensors.part"
    (cd "$work" && sha256sum weights.safetensors) >"$out/weights.sha256"
    say "weights in $out: $(ls "$out" | grep -c part) parts; judge them by docs/training.md before they are packaged"
    ;;
esac
