/// Where a client asks a bastion to connect to: `--destination`, sent as `Cf-Access-Jump-Destination`.
package struct JumpDestination: Hashable, Sendable, CustomStringConvertible {
    /// A name in ASCII form, or an address without brackets.
    package let host: String
    package let port: Int

    /// Reads `host:port`, `scheme://host[:port][/path]`; path and query are dropped.
    ///
    /// The port comes from the text, else from the scheme (ssh 22, rdp 3389, smb 445), else from `defaultPort`. Refused: a
    /// user name, white space, a zone id, and anything that is not plainly a name or an address.
    package static func parse(_ text: String, defaultPort: Int? = nil) throws(ConfigError) -> JumpDestination {
        guard !text.isEmpty else {
            throw ConfigError("the destination is empty", suggestion: "give the client --destination host:port")
        }
        guard text.utf8.count <= 1024 else { throw ConfigError("the destination is longer than 1024 bytes") }
        let url = try URLText(text)
        guard !url.hasUserInfo else {
            throw ConfigError(
                "the destination contains a user name", suggestion: "write host:port without the part before @")
        }
        guard !url.host.contains("%") else {
            throw ConfigError("the destination \(quoted(text)) contains a zone id or percent escape")
        }
        let host: String
        if let address = IPAddress(url.host) {
            host = address.description
        } else if !url.isBracketed, let name = name(url.host) {
            host = name
        } else {
            throw ConfigError(
                "the destination \(quoted(text)) has no valid host",
                suggestion: "write host:port, for example rdpserver:3389")
        }
        let schemePort = url.scheme.flatMap { ["ssh": 22, "rdp": 3389, "smb": 445][$0] }
        guard let port = try url.portNumber() ?? schemePort ?? defaultPort else {
            throw ConfigError(
                "the destination \(quoted(text)) has no port", suggestion: "write \(text):PORT, for example :3389")
        }
        return JumpDestination(host: host, port: port)
    }

    /// `host:port`, brackets around IPv6.
    package var description: String { authority(host, port) }

    /// The ASCII form of a host name. Nil for addresses, and for what the system's resolver would take as an address
    /// though it is not written as one (`2130706433`, `0x7f.1`, `127.1`).
    static func name(_ text: String) -> String? {
        guard IPAddress(text) == nil, let ascii = DomainName.ascii(text), !ascii.contains("*") else { return nil }
        let last = ascii.split(separator: ".").last ?? ""
        let isNumber = last.utf8.allSatisfy { (48...57).contains($0) }
        let isHex = last.hasPrefix("0x") && last.dropFirst(2).utf8.allSatisfy { $0.hexValue != nil }
        return isNumber || isHex ? nil : ascii
    }
}

/// The host of an Access application as `access … --hostname` takes it. Always reached over https.
package struct AccessHostname: Hashable, Sendable, CustomStringConvertible {
    /// A name in ASCII form, or an address without brackets.
    package let host: String
    /// Nil: 443.
    package let port: Int?
    /// From `/`; empty if none was written.
    package let path: String
    /// Without `?`.
    package let query: String?

    /// Accepts `rdp.site.com`, `https://…`, `http://…` (upgraded, never dialled in clear), with port, path and query.
    package static func parse(_ text: String) throws(ConfigError) -> AccessHostname {
        let example = "write for example rdp.site.com or https://rdp.site.com"
        guard !text.isEmpty else { throw ConfigError("the hostname is empty", suggestion: example) }
        guard text.utf8.count <= 8192 else { throw ConfigError("the hostname is longer than 8192 bytes") }
        let url = try URLText(text)
        if let scheme = url.scheme, scheme != "https", scheme != "http" {
            throw ConfigError("the hostname has the scheme \(quoted(scheme))", suggestion: example)
        }
        guard !url.hasUserInfo else {
            throw ConfigError("the hostname contains a user name", suggestion: "remove the part before @")
        }
        guard !url.host.contains("%") else { throw ConfigError("the hostname \(quoted(text)) contains a zone id") }
        guard !url.host.isEmpty else { throw ConfigError("\(quoted(text)) has no host", suggestion: example) }
        let host = try url.dialHost(whole: text)
        guard url.isBracketed || IPAddress(host) != nil || JumpDestination.name(host) != nil else {
            throw ConfigError("\(quoted(url.host)) is not a host name", suggestion: example)
        }
        return AccessHostname(
            host: host, port: try url.portNumber(), path: String(url.path), query: url.query.map(String.init))
    }

    /// The `Host` header: the port only when it is not 443.
    package var authorityText: String { authority(host, port == 443 ? nil : port) }

    /// What is asked of the edge: path and query, at least `/`.
    package var target: String { (path.isEmpty ? "/" : path) + (query.map { "?" + $0 } ?? "") }

    /// For logs: a query may hold a secret.
    package var withoutQuery: String { "https://\(authorityText)\(path)" }

    package var description: String { "https://\(authorityText)\(path)\(query.map { "?" + $0 } ?? "")" }
}

/// Where `access … --url` listens.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address without brackets.
    package let host: String
    /// 0 asks the system for a free port.
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Accepts `host:port`, a URL with one of the schemes of the command (the scheme is dropped), and a bare port for
    /// 127.0.0.1. There is no short form for "all interfaces": that must be written out as `0.0.0.0:PORT`.
    package static func parse(_ text: String) throws(ConfigError) -> ListenAddress {
        let example = "write for example localhost:2244"
        guard !text.isEmpty else { throw ConfigError("the listen address is empty", suggestion: example) }
        guard text.utf8.count <= 1024 else { throw ConfigError("the listen address is longer than 1024 bytes") }
        if text.utf8.allSatisfy({ (48...57).contains($0) }) {
            guard let port = Int(text), port <= 65535 else {
                throw ConfigError("\(quoted(text)) is not a port", suggestion: "use a number up to 65535")
            }
            return ListenAddress(host: "127.0.0.1", port: port)
        }
        if text.hasPrefix("unix:") {
            throw ConfigError("listening on a unix socket is not supported", suggestion: example)
        }
        let url = try URLText(text)
        if let scheme = url.scheme, !["http", "https", "rdp", "ssh", "smb", "tcp"].contains(scheme) {
            throw ConfigError(
                "the listen address has the scheme \(quoted(scheme))",
                suggestion: "use http, https, rdp, ssh, smb or tcp")
        }
        guard !url.hasUserInfo else {
            throw ConfigError("the listen address contains a user name", suggestion: example)
        }
        guard !url.host.isEmpty else {
            throw ConfigError(
                "\(quoted(text)) has no host",
                suggestion: "write localhost:PORT, or 0.0.0.0:PORT to let other machines use your access")
        }
        let host = try url.dialHost(whole: text)
        guard let port = try url.portNumber(in: 0...65535) else {
            throw ConfigError("\(quoted(text)) has no port", suggestion: example)
        }
        return ListenAddress(host: host, port: port)
    }

    /// Whether only this machine can connect: anything else deserves a warning, since whoever connects is let through.
    package var isLoopback: Bool {
        if let address = IPAddress(host)?.unmapped {
            return address.isV6 ? address.bits == 1 : address.bits >> 24 == 127
        }
        return host == "localhost" || host.hasSuffix(".localhost")
    }

    package var description: String { authority(host, port) }
}
