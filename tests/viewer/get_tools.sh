#!/usr/bin/env bash
# Fetch what the viewer's tests drive: the prebuilt OHIF and playwright-core, from npm's registry as configured.
# usage: tests/viewer/get_tools.sh [FOLDER]     FOLDER/ohif/index.html, FOLDER/node_modules/playwright-core
# `npm pack` takes the one archive and none of OHIF's dependencies; its digest is pinned here, so that it is the same
# everywhere, whatever registry gave it. No browser is fetched: playwright drives the system's Chromium.
set -euo pipefail
folder=${1:-$(dirname "$0")/../../build/viewer}
mkdir -p "$folder"
cd "$folder"

digest() { node -p 'require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64")' "$1"; }

get() {  # NAME@VERSION SHA512 MEMBER TARGET: unpack the archive's folder MEMBER as TARGET
  local stamp="$4/.installed"
  [ "$(cat "$stamp" 2>/dev/null)" = "$1" ] && return
  local work archive
  work=$(mktemp -d "$PWD/fetch.XXXXXX")
  archive=$(cd "$work" && npm pack --loglevel=error --fetch-retries=1 "$1" | tail -1) || archive=
  if [ -z "$archive" ] || [ "$(digest "$work/$archive")" != "$2" ]; then
    rm -rf "$work"
    echo "$1 could not be fetched, or is not the archive that these tests are made for" >&2
    return 1
  fi
  tar xzf "$work/$archive" -C "$work" "$3"
  mkdir -p "$(dirname "$4")"
  rm -rf "$4"
  mv "$work/$3" "$4"
  rm -rf "$work"
  echo "$1" > "$stamp"
}

get @ohif/app@3.13.2 \
  WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA== package/dist ohif
get playwright-core@1.65.1 \
  hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw== package \
  node_modules/playwright-core
