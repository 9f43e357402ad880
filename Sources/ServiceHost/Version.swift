/// What `cloudflared --version`, the user agents, the registration with an edge and the `build_info` metric say: one
/// place.
package enum Version {
    /// The release, in the official calendar form year.month.patch.
    package static let current = "2026.11.0"

    /// The user agent of API calls, visitor upgrades and token lookups.
    package static let userAgent = "cloudflared/\(current)"
}

/// How this binary was made. Constant for the life of the process.
package struct BuildInfo: Sendable, Equatable {
    /// The release, as in ``Version/current``.
    package var version: String
    /// Swift compiler version, the counterpart of the official `goversion`.
    package var compiler: String
    /// Operating system and processor in the official spelling, such as `linux_amd64`.
    package var architecture: String
    /// `debug` or `release`.
    package var kind: String

    package static let current = BuildInfo(
        version: Version.current, compiler: compilerVersion, architecture: "linux_\(processor)", kind: buildKind)

    private static var compilerVersion: String {
        #if compiler(>=6.4)
            "swift6.4+"
        #elseif compiler(>=6.3)
            "swift6.3"
        #else
            "swift6.2"
        #endif
    }

    private static var processor: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    private static var buildKind: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    /// The one line of `--version`.
    package var line: String { "cloudflared version \(version) (built with \(compiler), \(architecture), \(kind))" }
}
