#!/usr/bin/env bash
# Installs what the checks need, by package name, on Debian or Ubuntu. Does nothing where it is there.
set -euo pipefail

packages() {
  local missing=()
  command -v cc >/dev/null || missing+=(build-essential)
  command -v curl >/dev/null || missing+=(curl ca-certificates)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  command -v chromium >/dev/null || missing+=(chromium)
  command -v firefox-esr >/dev/null || missing+=(firefox-esr)
  install "${missing[@]+"${missing[@]}"}"
}

# Tests that need one of these say so and pass without it, where the system has no such package.
extras() {
  command -v ip >/dev/null || install iproute2 || true
  command -v nft >/dev/null || install nftables || true
  command -v certutil >/dev/null || install libnss3-tools || true
  command -v openssl >/dev/null || install openssl || true
  command -v turnutils_uclient >/dev/null || install coturn || true
  command -v pebble >/dev/null || install pebble || true
  command -v ffmpeg >/dev/null || install ffmpeg || true
  command -v nginx >/dev/null || install nginx-light || true
  command -v caddy >/dev/null || install caddy || true
  command -v pulseaudio >/dev/null || install pulseaudio || true
}

install() {
  [ $# -gt 0 ] || return 0
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@"
}

rust() {
  if ! command -v cargo >/dev/null; then
    echo "Rust is missing: https://rustup.rs says how to install it" >&2
    exit 1
  fi
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
}

packages
extras
rust
