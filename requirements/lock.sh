#!/bin/sh
# Compiles the requirement files from the dependency groups of pyproject.toml: universal (Python 3.11 and later),
# every version exact, every file hashed, no index address. Run it through `make lock` or `make check`.
#   lock.sh            rewrites the files; pins that still fit stay (UPGRADE=1 takes the newest instead)
#   lock.sh --check    writes nothing, exits 1 with the difference when pyproject.toml and the files disagree
set -eu
cd "$(dirname "$0")/.."
: "${UV:=uv}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# compile FILE GROUP…: each file takes its versions from dev.txt, which holds every group.
compile() {
    file=$1
    shift
    mkdir -p "$scratch/$(dirname "$file")"
    if [ -f "$file" ] && [ -z "${UPGRADE:-}" ]; then cp "$file" "$scratch/$file"; fi
    groups=
    for group in "$@"; do groups="$groups --group $group"; done
    constraint=
    [ "$file" = requirements/dev.txt ] || constraint="--constraint $scratch/requirements/dev.txt"
    # shellcheck disable=SC2086 # words are wanted
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-annotate --custom-compile-command "make lock" $constraint $groups \
        --output-file "$scratch/$file" >"$scratch/log" 2>&1 || failed "$file"
}

failed() {
    if [ "${1:-}" ] && [ "$mode" = --check ] &&
        grep -qiE 'failed to fetch|error sending request|could not connect|dns error|network' "$scratch/log"; then
        echo "requirements: SKIPPED, no package index can be reached, so whether they are up to date is unknown"
        exit 0
    fi
    cat "$scratch/log" >&2
    echo "requirements: $1 cannot be compiled" >&2
    exit 1
}

mode=${1:-}
compile requirements/dev.txt core functions lambdas cli sandbox build dev
compile requirements/demo.txt core functions lambdas cli sandbox build
compile requirements.txt core functions
compile lambdas/requirements.txt core lambdas

outdated=0
for file in requirements/dev.txt requirements/demo.txt requirements.txt lambdas/requirements.txt; do
    if [ "$mode" = --check ]; then
        diff -u "$file" "$scratch/$file" || outdated=1
    else
        cp "$scratch/$file" "$file"
    fi
done
[ "$outdated" = 0 ] || { echo "requirements: out of date, run 'make lock'" >&2; exit 1; }
echo "requirements: up to date"
