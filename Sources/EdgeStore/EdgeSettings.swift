import Foundation
import TunnelConfig
import Yams

/// `edge.yml`: where the edge listens and which certificates it shows. Keys are named like the flags that override them.
package struct EdgeSettings: Sendable, Equatable {
    /// A certificate chain and its key, both PEM files; absolute, or relative to the data directory.
    package struct Files: Sendable, Equatable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package var zone: String
    package var team: String
    /// `address:port` for connectors.
    package var tunnelListen: String
    /// `address:port` for visitors, account API and Access.
    package var httpsListen: String
    package var tunnelFiles: Files
    package var visitorFiles: Files
    /// The port that visitors use, where it is not the one of `httpsListen`: there is a forwarding in between.
    package var publicPort: Int?
    /// Host of the team where it is not `team.zone`: the official client knows teams below `cloudflareaccess.com` only.
    package var teamDomain: String?

    package static let defaultTunnelListen = "127.0.0.1:7844"
    package static let defaultHTTPSListen = "127.0.0.1:8443"

    enum Key: String, CaseIterable {
        case zone, team
        case tunnelListen = "tunnel-listen"
        case httpsListen = "https-listen"
        case tunnelCert = "tunnel-cert"
        case tunnelKey = "tunnel-key"
        case visitorCert = "visitor-cert"
        case visitorKey = "visitor-key"
        case publicPort = "public-port"
        case teamDomain = "team-domain"
    }

    /// The IP address of `address:port` when it is one that somebody can connect to.
    static func address(of listen: String) -> [String] {
        guard let colon = listen.lastIndex(of: ":") else { return [] }
        let host = listen[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        return ["", "0.0.0.0", "::", "localhost"].contains(host) ? [] : [host]
    }

    /// The text of a new `edge.yml`.
    func text() -> String {
        """
        # Configuration of cloudflared-edge. A running edge takes changed certificates at once; the rest counts after a
        # restart.
        # The domain whose hostnames are served, and the label of the Access team domain (\(team).\(zone)). They are part
        # of the account and of the certificates: for other ones make a new data directory with `cloudflared-edge init`.
        zone: \(quoted(zone))
        team: \(quoted(team))

        # Addresses to listen on: connectors, and everything else (visitors, account API, Access).
        # 0.0.0.0:PORT or "[::]:PORT" accepts from other machines; port 0 takes any free one.
        tunnel-listen: \(quoted(tunnelListen))
        https-listen: \(quoted(httpsListen))

        # Certificate chains and keys (PEM). The tunnel certificate must carry the name h2.cftunnel.com.
        tunnel-cert: \(quoted(tunnelFiles.certificate))
        tunnel-key: \(quoted(tunnelFiles.key))
        visitor-cert: \(quoted(visitorFiles.certificate))
        visitor-key: \(quoted(visitorFiles.key))

        # public-port: 443          # the port that visitors use, where something forwards it to https-listen
        # team-domain: acme.cloudflareaccess.com   # another name of the team domain, such as the official client needs
        \(publicPort.map { "public-port: \($0)\n" } ?? "")\(teamDomain.map { "team-domain: \(quoted($0))\n" } ?? "")
        """
    }

    private func quoted(_ value: String) -> String {
        let escaped = value.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
        return "\"\(escaped)\""
    }

    /// Reads `edge.yml` strictly: an unknown, repeated, missing or empty key is an error with its line.
    ///
    /// - Parameter path: named in errors.
    package static func parse(_ text: String, path: String) throws -> EdgeSettings {
        func refuse(_ line: Int?, _ reason: String) -> StoreError {
            StoreError(.configuration, line.map { "\(path), line \($0): \(reason)" } ?? "\(path): \(reason)")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw refuse((error as? YamlError)?.line, "this is not valid YAML: \((error as? YamlError)?.reason ?? "")")
        }
        guard let mapping = root?.mapping else {
            throw refuse(root?.mark?.line, "expected keys and values such as \"zone: site.test\"")
        }
        var values: [Key: String] = [:]
        for (keyNode, valueNode) in mapping {
            let line = keyNode.mark?.line
            let name = keyNode.scalar?.string ?? ""
            guard let key = Key(rawValue: name) else {
                throw refuse(line, "unknown key \"\(name)\"; \(hint(for: name))")
            }
            guard let value = valueNode.scalar?.string, !value.isEmpty else {
                throw refuse(line, "\"\(name)\" needs a single value")
            }
            guard values.updateValue(value, forKey: key) == nil else {
                throw refuse(line, "\"\(name)\" is given twice")
            }
        }
        func value(_ key: Key) throws -> String {
            guard let value = values[key] else { throw refuse(nil, "the key \"\(key.rawValue)\" is missing") }
            return value
        }
        let publicPort = try values[.publicPort].map { text in
            guard let port = Int(text), (1...65_535).contains(port) else {
                throw refuse(nil, "\"public-port\" is the port that visitors use, such as 443")
            }
            return port
        }
        let teamDomain = try values[.teamDomain].map { text in
            guard let name = DomainName.ascii(text), name.contains("."), !name.contains("*") else {
                throw refuse(nil, "\"team-domain\" is a host name, such as acme.cloudflareaccess.com")
            }
            return name
        }
        return EdgeSettings(
            zone: try value(.zone), team: try value(.team),
            tunnelListen: values[.tunnelListen] ?? defaultTunnelListen,
            httpsListen: values[.httpsListen] ?? defaultHTTPSListen,
            tunnelFiles: Files(certificate: try value(.tunnelCert), key: try value(.tunnelKey)),
            visitorFiles: Files(certificate: try value(.visitorCert), key: try value(.visitorKey)),
            publicPort: publicPort, teamDomain: teamDomain)
    }

    /// Host of the team, where logins happen.
    package var teamHost: String { teamDomain ?? "\(team).\(zone)" }

    /// The known key that shares the longest beginning with `name`, or all of them.
    private static func hint(for name: String) -> String {
        let simplified = name.lowercased().replacingOccurrences(of: "_", with: "-")
        let ranked = Key.allCases.map { ($0.rawValue, $0.rawValue.commonPrefix(with: simplified).count) }
        if let best = ranked.max(by: { $0.1 < $1.1 }), best.1 >= 3 { return "did you mean \"\(best.0)\"?" }
        return "known keys are " + Key.allCases.map(\.rawValue).joined(separator: ", ")
    }
}

extension YamlError {
    fileprivate var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        case .duplicatedKeysInMapping(_, let context): context.mark.line
        default: nil
        }
    }

    fileprivate var reason: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _): problem
        case .duplicatedKeysInMapping(let duplicates, _):
            "\(duplicates.map(\.description).sorted().joined(separator: ", ")) is given twice"
        case .reader(let problem, _, _, _): problem
        default: "it cannot be read"
        }
    }
}
