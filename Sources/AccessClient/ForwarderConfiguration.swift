package import Access
package import ByteStream
package import NIOCore
package import NIOHTTP1
package import ServiceHost
package import TunnelConfig

/// Everything one forwarder needs to know; a value, made by the command line or from a `forwarders` entry.
package struct ForwarderConfiguration: Sendable {
    /// The protected host, with port, path and query.
    package var hostname: AccessHostname
    /// Where to listen. Nil, and without ``socket``: standard input and output are the one connection.
    package var listen: ListenAddress?
    /// Listens there already, for this forwarder; nothing is bound then.
    package var socket: InheritedSocket?
    /// Where a bastion shall connect to; sent as `Cf-Access-Jump-Destination`.
    package var destination: JumpDestination?
    /// Extra request headers (`-H`), see `UpgradeRequest` for what they may change.
    package var headers = HTTPHeaders()
    /// Sent as `Cf-Access-Client-Id`.
    package var serviceTokenID: String?
    /// Sent as `Cf-Access-Client-Secret`.
    package var serviceTokenSecret: Secret?
    /// Gets tokens where Access wants a person. Nil: nobody can log in. A service token never leads there.
    package var login: AccessLogin?
    /// Replaces the dialled address (`--connect-to`).
    package var connectTo: ConnectTo?
    /// PEM files of further trusted authorities (`--cacert`).
    package var authorityFiles: [String] = []
    /// The process environment, for `SSL_CERT_FILE`, `SSL_CERT_DIR` and the proxy variables.
    package var environment: [String: String]
    /// Time from the first packet to the edge until the WebSocket is open.
    package var handshakeTimeout: TimeAmount = .seconds(30)
    /// How long the edge may be silent once the local side has ended.
    package var linger: TimeAmount = .seconds(5)
    /// How long open connections may take to end when the forwarder stops.
    package var shutdownGrace: TimeAmount = .seconds(5)
    /// Connections at once; further ones wait in the kernel's queue.
    package var maximumConnections = 1024
    /// Bounds of each WebSocket.
    package var webSocket = WebSocketPipe.Limits()

    /// - Parameter environment: the process environment, or what a test puts in its place.
    package init(hostname: AccessHostname, listen: ListenAddress? = nil, environment: [String: String]) {
        self.hostname = hostname
        self.listen = listen
        self.environment = environment
    }

    /// Of any origin: who sets one does not want a browser.
    var usesServiceToken: Bool { serviceTokenID != nil || headers.contains(name: "cf-access-client-id") }

    var isStandardIO: Bool { listen == nil && socket == nil }

    /// Reads `-H` values: split at the first colon, both sides trimmed, entries without a colon skipped (access-protocol
    /// section 1.8).
    ///
    /// - Throws: `AccessError` (usage) for a name or value that cannot stand in a request; the value is not quoted, it may
    ///   be a secret.
    package static func headers(fromFlags flags: [String]) throws -> HTTPHeaders {
        var headers = HTTPHeaders()
        for flag in flags {
            guard let colon = flag.firstIndex(of: ":") else { continue }
            let name = flag[..<colon].trimmed
            let value = flag[flag.index(after: colon)...].trimmed
            guard !name.isEmpty, name.utf8.allSatisfy(\.isTokenByte) else {
                throw AccessError(
                    .usage,
                    "--header needs `Name: value` with a name of letters, digits and dashes; one of the given has another"
                )
            }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 }) else {
                throw AccessError(.usage, "the value of --header \(name) contains a line break or control character")
            }
            headers.add(name: String(name), value: String(value))
        }
        return headers
    }
}

/// `--connect-to`: dial there instead of the hostname, for tests and split networks (access-protocol section 1.9).
package struct ConnectTo: Sendable, Equatable {
    /// Name or address without brackets.
    package var host: String
    package var port: Int
    /// The name asked for by SNI and checked in the certificate.
    package var serverName: String

    /// Accepts `host`, `host:port` and `sni:port:host`. The last one checks the certificate for `sni`; the official client
    /// does not check at all.
    ///
    /// - Throws: `AccessError` (usage).
    package static func parse(_ text: String) throws -> ConnectTo {
        let invalid = AccessError(
            .usage, "invalid connection override in --connect-to; write host, host:port or sni:port:host")
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            // [v6] or [v6]:port
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw invalid }
            parts = [String(text[..<end].dropFirst())] + (rest.isEmpty ? [] : [String(rest.dropFirst())])
        }
        guard (1...3).contains(parts.count), !parts.contains(where: \.isEmpty) else { throw invalid }
        guard parts.count > 1 else { return try checked(host: parts[0], port: 443, serverName: parts[0]) }
        guard let port = UInt16(parts[1]), port > 0, !parts[1].hasPrefix("+") else { throw invalid }
        let host = parts[parts.count == 3 ? 2 : 0]
        return try checked(host: host, port: Int(port), serverName: parts[0])
    }

    private static func checked(host: String, port: Int, serverName: String) throws -> ConnectTo {
        func clean(_ name: String) throws -> String {
            if let address = IPAddress(name) { return address.description }
            guard let ascii = DomainName.ascii(name), !ascii.contains("*") else {
                throw AccessError(.usage, "invalid connection override in --connect-to: not a host name or address")
            }
            return ascii
        }
        return ConnectTo(host: try clean(host), port: port, serverName: try clean(serverName))
    }
}

extension Substring {
    var trimmed: Substring {
        var rest = self
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}

extension UInt8 {
    /// RFC 9110 `tchar`.
    var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
