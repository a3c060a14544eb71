#!/usr/bin/env bash
# All that only a GPU can tell, in one go: the tests that need one, then the figures of docs/speed.md.
#
#     bash benchmarks/gpu.sh OUTPUT [tests] [model] [schedule] [op] [tune] [curves]
#
# Without names: tests, model, schedule and op, which take about ten minutes on one H200. Each part goes on where another
# fails, and leaves its result file and its log in OUTPUT; copy the files to benchmarks/results, then run speed_tables.py.
set -uo pipefail
cd "$(dirname "$0")/.."
output=${1:?expected a folder for the results}
shift
mkdir -p "$output"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1
failed=0
for part in "${@:-tests model schedule op}"; do
    for name in $part; do
        case $name in
            tests) command=(python -m pytest -q tests/ops/spatial_grounding tests/training/test_graph.py
                            tests/training/test_batches.py tests/training/test_placement.py) ;;
            model | schedule | op) command=(python benchmarks/run.py "$name" --device cuda --output "$output") ;;
            tune) command=(python benchmarks/tune.py) ;;
            curves) command=(python benchmarks/curves.py --jobs 1) ;;
            *) echo "expected tests, model, schedule, op, tune or curves, got $name" && exit 2 ;;
        esac
        started=$SECONDS
        "${command[@]}" 2>&1 | tee "$output/$name.log" | tail -n 40
        status=${PIPESTATUS[0]}
        echo "== $name: exit status $status, $((SECONDS - started)) s"
        ((status)) && failed=1
    done
done
cp benchmarks/results/tune-*.json benchmarks/results/curves-*-cuda.json "$output" 2>/dev/null
exit $failed
