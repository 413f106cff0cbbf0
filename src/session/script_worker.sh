#!/bin/sh
# The scripted worker: an agent without a model. It learns everything from `gt` and does what the bead on its
# hook says: for each step, the block of the bead's description that is named after the step, as in
#
#     ```sh implement
#     echo hello > greeting.txt
#     ```
#
# A block without a name is that of the step `implement`; one that is named after the last part of a step, as `polish` for
# `loop.iter1.polish`, is that of each such step that has no block of its whole name. It runs the block in its worktree, commits what changed,
# closes the step, and hands in at the end. It can be killed anywhere and started again: a closed step is not repeated,
# a committed one is only closed, and one that was cut short is begun again on the last commit (what it had written is
# kept under refs/gt/preserve).
#
# Work that has no block for any of its steps, or a block for none of them, is not called done: the worker says so on the
# bead, and stops.
#
# It needs git and nothing else beside the shell.
# Exit codes: 0 nothing left to do, 1 a block or a command failed, 3 it cannot work here.
set -u

say() { printf 'script-worker: %s\n' "$*"; }
fail() { say "$2" >&2; exit "$1"; }
# One value of the hook. Whoever asks has to stop when this fails: what cannot be read is not empty.
field() { gt hook --field "$1" || { say "gt hook --field $1 failed" >&2; return 1; }; }

me=${PWD##*/}
# Its own name on what it commits, also in the blocks: it has no HOME and no git configuration.
export GIT_AUTHOR_NAME="$me" GIT_AUTHOR_EMAIL="$me@gastown.invalid"
export GIT_COMMITTER_NAME="$me" GIT_COMMITTER_EMAIL="$me@gastown.invalid"
git() { command git -c commit.gpgSign=false "$@"; }

# block NAME: the text of the first fenced block "```sh NAME" on standard input; status 1 when there is none. Of the step
# `implement` also a plain "```sh".
block() {
    inside=no found=1
    while IFS= read -r line || [ -n "$line" ]; do
        case $inside in
        yes)
            case $line in
            '```'*) return 0 ;;
            *) printf '%s\n' "$line" ;;
            esac ;;
        no)
            # Word splitting compares the words and forgives blanks at the end.
            set -f
            set -- "$1" $line
            set +f
            if [ "$#" -ge 2 ] && [ "$#" -le 3 ] && [ "$2" = '```sh' ] && [ "${3:-implement}" = "$1" ]; then
                inside=yes found=0
            fi ;;
        esac
    done
    return "$found"
}

# Whether there is anything to commit, a merge that changes nothing included.
pending() {
    [ -n "$(git status --porcelain)" ] || [ -e "$(git rev-parse --git-path MERGE_HEAD)" ]
}

# What a worker before us left behind in the middle of a step.
tidy() {
    rebasing=$(git rev-parse --git-path rebase-merge)
    pending || [ -d "$rebasing" ] || return 0
    say "keeping what a step that was cut short had written, and beginning it again"
    git add -A &&
        tree=$(git write-tree) &&
        kept=$(git commit-tree -p HEAD -m "cut short: step $1 of $me" "$tree") &&
        git update-ref "refs/gt/preserve/script/$me/$kept" "$kept" &&
        git reset -q --hard HEAD &&
        { [ ! -d "$rebasing" ] || git rebase --abort; } || fail 1 "the worktree cannot be tidied"
}

# Whether the work of step bead $1 is in a commit already.
committed() {
    # What is searched for may be the beginning of another id.
    for found in $(git log -F --grep="Gt-Step: $1" --format='%(trailers:key=Gt-Step,valueonly)'); do
        [ "$found" != "$1" ] || return 0
    done
    return 1
}

commit() {
    pending || return 0
    git add -A && git commit -q --no-verify -m "$1" -m "Gt-Step: $2" || fail 1 "the changes cannot be committed"
}

command -v gt >/dev/null || fail 3 "gt is not in PATH"
[ "$(git rev-parse --is-inside-work-tree 2>/dev/null)" = true ] || fail 3 "$PWD is not in a git worktree"

bead=$(field bead.id) || exit 1
[ -n "$bead" ] || { say "nothing on my hook"; exit 0; }
title=$(field bead.title) || exit 1
say "$me works on $bead: $title"

# names: what the named blocks on standard input are named after.
names() {
    inside=no
    while IFS= read -r line || [ -n "$line" ]; do
        set -f
        set -- $line
        set +f
        case $inside,${1-} in
        yes,'```'*) inside=no ;;
        no,'```sh')
            inside=yes
            [ "$#" -ne 2 ] || printf '%s\n' "$2" ;;
        esac
    done
}

# script STEP: the block for a step, by its whole name or else by the last part of it; status 1 when there is none.
script() {
    printf '%s\n' "$description" | block "$1" || printf '%s\n' "$description" | block "${1##*.}"
}

# known: refuses a description with a block that is named after no step. That of a later round is not there yet: what it has
# in common with that of the first is the last part. What was sent back has one more step, `rework`.
known() {
    for name in $(printf '%s\n' "$description" | names); do
        known=no
        for step in rework $steps; do
            [ "${step##*.}" != "${name##*.}" ] || known=yes
        done
        [ "$known" = yes ] || refuse "the block \`\`\`sh $name of the description names no step $of"
    done
}

# refuse WHY: says on the bead, once, why it cannot be worked on, and stops.
refuse() {
    if command -v bd >/dev/null; then
        case $(bd comments "$bead" 2>/dev/null) in
        *"$1"*) ;;
        *) bd comments add "$bead" "$1" >/dev/null ;;
        esac
    fi
    fail 3 "$1"
}

# A description without a block for a step that the work has would be handed in as "no change", and a block with a
# misspelt name would be left out.
steps=$(field molecule.steps) || exit 1
blocks=no matched=no
description=$(field bead.description) || exit 1
case $description in *'```sh'*) blocks=yes ;; esac
for name in $steps; do
    if script "$name" >/dev/null; then matched=yes; fi
done
formula=$(field molecule.formula) || exit 1
of="of ${formula:-its work, which has no formula} (steps: ${steps:-none})"
if [ "$matched" = no ]; then
    [ "$blocks" = no ] || refuse "no block of the description names a step $of"
    refuse "the description has no block to run for a step $of: begin one with \`\`\`sh STEP"
fi
# While a step may bring more steps with what it gives, a name can be that of one of these.
grows=$(field molecule.grows) || exit 1
[ -n "$grows" ] || known

last=
while :; do
    step=$(field step.name) || exit 1
    id=$(field step.id) || exit 1
    [ -n "$step" ] || break
    [ "$id" != "$last" ] || fail 1 "step $step ($id) is still open after it was closed"
    last=$id
    tidy "$id"
    if committed "$id"; then
        say "$step: was committed before"
    elif script=$(script "$step"); then
        say "$step: running its block"
        (
            export GT_STEP="$step" GT_STEP_ID="$id" GT_BEAD="$bead"
            exec sh -eu -c "$script"
        )
        status=$?
        [ "$status" -eq 0 ] || fail 1 "the block of step $step ended with status $status"
        commit "$title ($step)" "$id"
    else
        say "$step: nothing to run"
    fi
    # A block may have closed its step itself, with what it gave (--output).
    open=$(field step.id) || exit 1
    [ "$open" != "$id" ] || gt step done >/dev/null || fail 1 "step $step cannot be closed"
done

steps=$(field molecule.steps) || exit 1
known
say "all steps are closed, handing in"
if ! gt done; then
    [ -z "$(printf '%s\n' "$description" | block implement)" ] || exit 1
    gt done --no-change "its blocks change nothing" || exit 1
fi
