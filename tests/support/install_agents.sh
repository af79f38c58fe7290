#!/bin/sh
# Install the coding agents that the real_agents tests run: install_agents.sh FOLDER [AGENT...]
# Without names: claude-code, codex and pi, which are small and start fast. Known besides: copilot,
# gemini, goose, kimi, opencode, qwen, and what makes two of them speak the Agent Client Protocol:
# claude-agent-acp, codex-acp. (aider is a Python package: pipx install aider-chat==0.86.2)
# Prints the path of the claude binary; everything else goes to stderr. May be run again.
set -eu

CLAUDE_VERSION="${CLAUDE_VERSION:-2.1.330}"
NODE_VERSION="${NODE_VERSION:-26}"

mkdir -p "${1:?usage: install_agents.sh FOLDER [AGENT...]}"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- claude-code codex pi
packages="$folder/node_modules"

package_of() {
    case "$1" in
        claude-code) echo "@anthropic-ai/claude-code@$CLAUDE_VERSION" ;;
        claude-agent-acp) echo "@agentclientprotocol/claude-agent-acp@0.100.0" ;;
        codex) echo "@openai/codex@0.169.0" ;;
        codex-acp) echo "@agentclientprotocol/codex-acp@2.6.0" ;;
        copilot) echo "@github/copilot@1.0.102" ;;
        gemini) echo "@google/gemini-cli@0.61.0" ;;
        goose) echo "@aaif/goose-binary-linux-x64@0.20.1" ;;
        kimi) echo "@moonshot-ai/kimi-code@2.1.0" ;;
        opencode) echo "opencode-ai@1.18.33" ;;
        pi) echo "@earendil-works/pi-coding-agent@0.87.1" ;;
        qwen) echo "@qwen-code/qwen-code@0.24.4" ;;
        *) echo "install_agents.sh: no agent is called $1" >&2; return 2 ;;
    esac
}

# npm runs no install scripts unless they are approved; these only link or mark a native binary.
finish() {
    case "$1" in
        claude-code) (cd "$packages/@anthropic-ai/claude-code" && node install.cjs) ;;
        goose) chmod +x "$packages/@aaif/goose-binary-linux-x64/bin/goose" ;;
        opencode) (cd "$packages/opencode-ai" && node postinstall.mjs) ;;
    esac
}

installed() {
    package=$(package_of "$1")
    manifest="$packages/${package%@*}/package.json"
    [ -f "$manifest" ] && grep -q "\"version\": \"${package##*@}\"" "$manifest"
}

install_node() {
    cd "$folder"
    [ -f package.json ] || echo '{"private": true}' >package.json

    # npm picks the newest version that fits the running node, so an old node silently gives an old
    # agent: hence a node of our own, first in PATH.
    npm install --no-audit --no-fund --save-exact "node@$NODE_VERSION"
    if ! "$packages/node/bin/node" --version; then
        (cd "$packages/node" && node installArchSpecificPackage.js)
    fi
}

install_agents() {
    for agent in "$@"; do installed "$agent" || missing="${missing-} $agent"; done
    [ -n "${missing-}" ] || return 0
    [ -x "$packages/node/bin/node" ] || install_node
    PATH="$packages/node/bin:$PATH"
    export PATH
    cd "$folder"
    # shellcheck disable=SC2046,SC2086 # one word for each
    npm install --no-audit --no-fund --save-exact $(for agent in $missing; do package_of "$agent"; done)
    for agent in $missing; do finish "$agent"; done
}

for agent in "$@"; do package_of "$agent" >&2; done
install_agents "$@" >&2
for agent in "$@"; do
    installed "$agent" || { echo "install_agents.sh: $agent is not there" >&2; exit 1; }
done
[ ! -x "$packages/.bin/claude" ] || echo "$packages/.bin/claude"
