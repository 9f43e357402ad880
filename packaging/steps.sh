# shellcheck shell=bash
# What packaging/quickstart and Tests/run share: steps with their times, Debian packages, the Swift toolchain.
# Sourced, not run.

started=$SECONDS
swift_wanted=6.3

# step TEXT COMMAND…: shows what is being done, and how long it took. The command must not stand in a condition:
# there `set -e` would not hold inside it.
step() {
    local text=$1 begin=$SECONDS status
    shift
    printf '[%4d s] %s …\n' $((SECONDS - started)) "$text"
    "$@"
    status=$?
    printf '[%4d s] %s: %s after %d s\n' $((SECONDS - started)) "$text" \
        "$([[ $status -eq 0 ]] && echo done || echo failed)" $((SECONDS - begin))
    return "$status"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# What the build needs on Debian 12, besides Swift itself: first what Swift's own programs are linked to.
build_packages=(
    ca-certificates gcc git libc6-dev libcurl4 libedit2 libgcc-12-dev libncurses6 libpython3.11
    libsqlite3-0 libstdc++-12-dev libxml2 libz3-4 pkg-config tzdata zlib1g-dev
    libc-ares-dev libsodium-dev libsqlite3-dev libsystemd-dev
)
# A recognisable desktop behind FreeRDP's shadow server, and a client that looks at it.
desktop_packages=(bash coreutils freerdp2-shadow-x11 openssl python3 winpr-utils x11-xserver-utils xterm xvfb)
viewer_packages=(freerdp2-x11 python3 x11-apps xdotool xvfb)
# A browser without a window, that can be told what to do and whom to trust.
browser_packages=(chromium chromium-driver fonts-dejavu-core libnss3-tools)

# need_packages NAME…: installs those that are missing. No service starts by it, now or at the next boot.
need_packages() {
    local name missing=()
    for name in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $(id -u) == 0 ]] || command -v sudo >/dev/null ||
        fail "these Debian packages are missing; install them as root: ${missing[*]}"
    echo "  installing ${missing[*]}"
    as_root bash -c '
        set -e
        policy=/usr/sbin/policy-rc.d
        if [[ ! -e $policy ]]; then
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >$policy
            chmod 755 $policy
        fi
        export DEBIAN_FRONTEND=noninteractive
        options=(-q -y --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
        apt-get update -q </dev/null
        apt-get "${options[@]}" install "$@" </dev/null
        for unit in ssh xrdp xrdp-sesman; do
            [[ " $* " == *" ${unit/ssh/openssh-server} "* ]] || [[ $unit == xrdp* && " $* " == *" xrdp "* ]] || continue
            ! command -v systemctl >/dev/null || systemctl --quiet disable $unit.service || true
        done
    ' bash "${missing[@]}" >"${TMPDIR:-/tmp}/packages.$$.log" 2>&1 || {
        tail -n 20 "${TMPDIR:-/tmp}/packages.$$.log" >&2
        rm -f "${TMPDIR:-/tmp}/packages.$$.log"
        fail "apt-get could not install the packages above"
    }
    rm -f "${TMPDIR:-/tmp}/packages.$$.log"
}

# need_swift: puts swift into PATH, or says where it comes from.
need_swift() {
    local version
    if ! command -v swift >/dev/null && [[ -x /opt/swift/usr/bin/swift ]]; then PATH=$PATH:/opt/swift/usr/bin; fi
    command -v swift >/dev/null || fail "Swift $swift_wanted is missing: unpack the Debian 12 toolchain of" \
        "https://www.swift.org/install/linux/ into /opt/swift, so that /opt/swift/usr/bin/swift exists, or put it into PATH"
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
    [[ -n $version ]] || fail "$(command -v swift) does not run: swift --version printed no version"
    [[ $(printf '%s\n' "$swift_wanted" "$version" | sort -V | head -n 1) == "$swift_wanted" ]] ||
        fail "Swift $swift_wanted or newer is needed; $(command -v swift) is $version"
    echo "  Swift $version at $(command -v swift)"
}

# CLOUDFLARED_LEAN_BUILD=1: a build that nobody debugs takes an eighth less time.
lean=()
[[ -z ${CLOUDFLARED_LEAN_BUILD:-} ]] || lean=(-debug-info-format none)

release=(-c release --static-swift-stdlib "${lean[@]}")

# programs_folder: where the release build puts the programs.
programs_folder() { swift build "${release[@]}" --show-bin-path; }

# build_programs: both programs, with the Swift runtime inside, so that they run where Swift is not; sets `bin`.
build_programs() {
    # The edge first: the longest chain of modules, which leaves a processor to others, is its.
    swift build "${release[@]}" --product cloudflared-edge || return
    swift build "${release[@]}" --product cloudflared || return
    bin=$(programs_folder)
}
