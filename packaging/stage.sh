# shellcheck shell=bash
# What packaging/deb and packaging/tarball share: the release binaries, and the files that go with them.
# Sourced, not run, after packaging/steps.sh.

programs=(cloudflared cloudflared-edge)
package_packages=(binutils dpkg-dev gzip python3)

release_version() { sed -n 's/.*static let current = "\([^"]*\)".*/\1/p' Sources/ServiceHost/Version.swift | head -n 1; }

# release_time: seconds since 1970 of what is packaged, so that the same source gives the same package.
release_time() {
    if [[ -n ${SOURCE_DATE_EPOCH:-} ]]; then echo "$SOURCE_DATE_EPOCH"; else git log -1 --format=%ct 2>/dev/null || date +%s; fi
}

# need_programs: sets `bin` to where the release binaries are; builds them unless CLOUDFLARED_BIN_DIR names them.
need_programs() {
    local name
    if [[ -n ${CLOUDFLARED_BIN_DIR:-} ]]; then
        bin=$CLOUDFLARED_BIN_DIR
    else
        need_packages "${build_packages[@]}"
        need_swift
        build_programs
    fi
    for name in "${programs[@]}"; do
        [[ -x $bin/$name ]] || fail "there is no program $bin/$name"
    done
}

# stage_program NAME ROOT UNITS: the program without its symbols, man pages and completions, below ROOT; its units
# in the directory UNITS below it.
stage_program() {
    local name=$1 root=$2 units=$3 unit
    mkdir -p "$root"/usr/{bin,share/man/man1,share/bash-completion/completions,share/zsh/vendor-completions} \
        "$root/usr/share/fish/vendor_completions.d" "$root$units"
    strip --strip-unneeded --remove-section=.comment --remove-section=.note -o "$root/usr/bin/$name" "$bin/$name"
    chmod 755 "$root/usr/bin/$name"
    CLOUDFLARED_VERSION=$(release_version) SOURCE_DATE_EPOCH=$(release_time) \
        packaging/man "$bin/$name" "$root/usr/share/man/man1"
    find "$root/usr/share/man" -name '*.1' -exec gzip -9n {} +
    "$bin/$name" --generate-completion-script bash | sed 1d >"$root/usr/share/bash-completion/completions/$name"
    "$bin/$name" --generate-completion-script zsh >"$root/usr/share/zsh/vendor-completions/_$name"
    "$bin/$name" --generate-completion-script fish >"$root/usr/share/fish/vendor_completions.d/$name.fish"
    for unit in systemd/"$name".service systemd/"$name"@.service; do
        [[ ! -e $unit ]] || install -m 644 "$unit" "$root$units/"
    done
    if [[ $name == cloudflared ]]; then
        install -d "$root/usr/lib/systemd/user"
        install -m 644 systemd/cloudflared-access@.{service,socket} "$root/usr/lib/systemd/user/"
    fi
}
