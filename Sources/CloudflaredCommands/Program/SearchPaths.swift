import Foundation
import ServiceHost

/// Where files lie when nobody says where. Source: cli-and-config.md section 2.1.
struct SearchPaths {
    var environment: [String: String]

    /// In the order in which they are searched.
    var directories: [String] {
        ["~/.cloudflared", "~/.cloudflare-warp", "~/cloudflare-warp", "/etc/cloudflared", "/usr/local/etc/cloudflared"]
            .map { HomePath.expanding($0, environment: environment) }
            // Without a home directory a path that starts with a tilde means nothing.
            .filter { $0.hasPrefix("/") }
    }

    /// The first configuration file that can be opened.
    var configurationFile: String? {
        firstReadable(directories.flatMap { ["\($0)/config.yml", "\($0)/config.yaml"] })
    }

    /// The first account certificate that can be opened.
    var accountCertificate: String? {
        firstReadable(directories.map { "\($0)/cert.pem" })
    }

    /// The credentials file of a tunnel: next to the account certificate, else in one of the directories.
    func credentialsFile(tunnelID: String, certificatePath: String?) -> String? {
        var candidates = directories
        if let certificatePath { candidates.insert((certificatePath as NSString).deletingLastPathComponent, at: 0) }
        return firstReadable(candidates.map { "\($0)/\(tunnelID).json" })
    }

    private func firstReadable(_ paths: [String]) -> String? {
        paths.first { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory.boolValue
                && FileManager.default.isReadableFile(atPath: path)
        }
    }
}
