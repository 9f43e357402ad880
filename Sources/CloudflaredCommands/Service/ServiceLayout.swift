import Foundation

/// Where the files of a service lie, and what systemd calls it.
struct ServiceLayout: Sendable, Equatable {
    /// The directory of a system that is not running; empty for this host.
    var root: String
    /// Nil for the one service that has no name of its own.
    var name: String?

    static func isUsable(_ name: String) -> Bool {
        let allowed = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        // A name is a directory next to the file `token`.
        return allowed && (1...64).contains(name.utf8.count) && name.first != "-" && name != "token"
    }

    /// The name that `systemctl` takes.
    var unit: String { name.map { "cloudflared@\($0).service" } ?? "cloudflared.service" }
    /// The file that defines it: one for all instances.
    var unitFile: String { name == nil ? "cloudflared.service" : "cloudflared@.service" }

    /// What this program writes, and what overrules packages.
    var unitDirectory: String { root + "/etc/systemd/system" }
    var unitPath: String { "\(unitDirectory)/\(unitFile)" }
    /// The unit of a package, if one is installed.
    var packagedUnitPath: String? {
        ["/usr/local/lib", "/usr/lib", "/lib"].map { "\(root)\($0)/systemd/system/\(unitFile)" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }

    var sharedDirectory: String { root + "/etc/cloudflared" }
    var directory: String { name.map { "\(sharedDirectory)/\($0)" } ?? sharedDirectory }
    var tokenPath: String { directory + "/token" }
    var configurationPath: String { directory + "/config.yml" }

    /// The updater of the official client.
    var updaterPaths: [String] { ["timer", "service"].map { "\(unitDirectory)/cloudflared-update.\($0)" } }

    var isSystemdRunning: Bool { FileManager.default.fileExists(atPath: root + "/run/systemd/system") }
}
