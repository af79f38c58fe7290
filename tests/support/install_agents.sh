#!/bin/sh
# Install the coding agents that the real_agents tests run: install_agents.sh FOLDER
# Prints the path of the claude binary; everything else goes to stderr. May be run again.
set -eu

CLAUDE_VERSION="${CLAUDE_VERSION:-2.1.330}"
NODE_VERSION="${NODE_VERSION:-26}"

mkdir -p "${1:?usage: install_agents.sh FOLDER}"
folder=$(cd "$1" && pwd)
packages="$folder/node_modules"
claude="$packages/@anthropic-ai/claude-code"

installed() {
    [ -x "$packages/.bin/claude" ] || return 1
    case "$("$packages/.bin/claude" --version 2>/dev/null)" in
        "$CLAUDE_VERSION "*) return 0 ;;
        *) return 1 ;;
    esac
}

install() {
    cd "$folder"
    [ -f package.json ] || echo '{"private": true}' >package.json

    # npm picks the newest version that fits the running node, so an old node silently gives an old
    # agent: hence a node of our own, first in PATH.
    npm install --no-audit --no-fund --save-exact "node@$NODE_VERSION"
    if ! "$packages/node/bin/node" --version; then
        (cd "$packages/node" && node installArchSpecificPackage.js)
    fi
    PATH="$packages/node/bin:$PATH"
    export PATH
    npm install --no-audit --no-fund --save-exact "@anthropic-ai/claude-code@$CLAUDE_VERSION"

    # npm runs no install scripts unless they are approved; this one only links the native binary.
    (cd "$claude" && node install.cjs)
}

installed || install >&2
installed || {
    echo "install_agents.sh: $packages/.bin/claude is not version $CLAUDE_VERSION" >&2
    exit 1
}
echo "$packages/.bin/claude"
