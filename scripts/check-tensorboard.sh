#!/bin/sh
# Reads the event file of every run below RESULTS_DIR with TensorBoard's own reader and compares it, epoch by
# epoch, with epochs.csv. Needs python3 with the tensorboard package; PYTHON names another interpreter.
#
#     scripts/check-tensorboard.sh RESULTS_DIR
set -eu

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: $0 RESULTS_DIR" >&2
    exit 2
fi

exec "${PYTHON:-python3}" - "$1" <<'EOF'
import csv, struct, sys
from pathlib import Path
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {
    "train/loss": "loss",
    "train/lr": "lr",
    "held_out/clean_percent": "held_out_clean_percent",
    "held_out/robust_percent": "held_out_robust_percent",
}
ALL = {"scalars": 0, "images": 0}  # keep every event
PNG = b"\x89PNG\r\n\x1a\n"


def single(number):
    """As event files hold it."""
    return struct.unpack("f", struct.pack("f", float(number)))[0]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def differences(run):
    files = list(run.glob("events.out.tfevents.*"))
    if len(files) != 1:
        yield f"{len(files)} event files"
        return
    events = EventAccumulator(str(files[0]), size_guidance=ALL).Reload()
    rows = rows_of(run / "epochs.csv")
    scalars = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    best = 0.0
    expected = {tag: [] for tag in [*TAGS, "held_out/best_percent"]}
    for row in rows:
        step = int(row["epoch"])
        best = float(row["held_out_robust_percent"]) if row["best"] == "true" else best
        for tag, column in TAGS.items():
            expected[tag].append((step, single(row[column])))
        expected["held_out/best_percent"].append((step, single(best)))
    timings = run / "timings.csv"
    if timings.is_file():
        rate = [(int(row["epoch"]), single(row["images_per_second"])) for row in rows_of(timings)]
        expected["train/images_per_second"] = rate
    for tag, values in expected.items():
        if scalars.get(tag) != values:
            yield f"{tag}: {scalars.get(tag)}, but the tables say {values}"
    # An accuracy of the first so many test images; examples.csv has a column for those a table shows.
    examples = run / "examples.csv"
    if examples.is_file():
        flags = rows_of(examples)
        for attack in list(flags[0])[2:]:
            asked = [row[attack] for row in flags if row[attack] != ""]
            percent = single(100.0 * asked.count("1") / len(asked))
            tag = "test/" + ("clean" if attack == "clean_correct" else attack)
            found = [value for group in (tag, tag.replace("test/", "test_last/")) for _, value in scalars.get(group, [])]
            if percent not in found:
                yield f"{tag}: {found}, but examples.csv says {percent}"
    for tag in events.Tags()["images"]:
        for image in events.Images(tag):
            size = struct.unpack(">II", image.encoded_image_string[16:24])
            if not image.encoded_image_string.startswith(PNG) or size != (image.width, image.height):
                yield f"{tag}: not a PNG image of {image.width}x{image.height}"
    print(f"{run.name}: {len(rows)} epochs, {len(scalars)} scalars, {len(events.Tags()['images'])} images")


runs = sorted(path.parent for path in Path(sys.argv[1]).glob("**/epochs.csv"))
if not runs:
    sys.exit(f"no runs below {sys.argv[1]}")
wrong = [f"{run}: {difference}" for run in runs for difference in differences(run)]
print("\n".join(wrong) or f"{len(runs)} runs: TensorBoard reads what the tables say")
sys.exit(bool(wrong))
EOF
