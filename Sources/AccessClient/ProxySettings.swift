import Foundation
import ServiceHost
import TunnelConfig

/// A proxy on the way to the edge.
struct ProxyServer: Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable {
        /// HTTP CONNECT.
        case http
        /// SOCKS5; the proxy resolves names.
        case socks5
    }

    var kind: Kind
    var host: String
    var port: Int
    var user: String?
    var password: Secret?

    /// Without the credentials.
    var description: String {
        "\(kind == .http ? "http" : "socks5")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}

/// Which proxy leads to a host: `HTTPS_PROXY` and `NO_PROXY` of an environment, upper case first, as Go reads them
/// (access-protocol section 1.9). Loopback targets are never proxied.
struct ProxySettings: Sendable {
    private let proxy: String
    private let exceptions: [String]

    init(environment: [String: String]) {
        func value(_ name: String) -> String {
            let upper = environment[name] ?? ""
            return upper.isEmpty ? environment[name.lowercased()] ?? "" : upper
        }
        proxy = value("HTTPS_PROXY")
        exceptions = value("NO_PROXY").split(separator: ",").map { $0.trimmed.lowercased() }.filter { !$0.isEmpty }
    }

    /// - Throws: `AccessError` (configuration) when a proxy applies and its URL cannot be used.
    func proxy(forHost host: String, port: Int) throws -> ProxyServer? {
        guard !proxy.isEmpty, !Self.isLoopback(host), !isException(host.lowercased(), port: port) else { return nil }
        return try Self.parse(proxy)
    }

    /// Whether a host means this machine by itself, without any name service (RFC 6761 section 6.3).
    static func isLoopback(_ host: String) -> Bool {
        if let address = IPAddress(host)?.unmapped {
            return address.isV6 ? address.bits == 1 : address.bits >> 24 == 127
        }
        return isLocalhostName(host)
    }

    /// `localhost` and the names under it.
    static func isLocalhostName(_ host: String) -> Bool {
        let lower = host.lowercased()
        return lower == "localhost" || lower.hasSuffix(".localhost")
    }

    private func isException(_ host: String, port: Int) -> Bool {
        let address = IPAddress(host)?.unmapped
        return exceptions.contains { exception in
            if exception == "*" { return true }
            if let block = IPPrefix(exception) { return address.map(block.contains) ?? false }
            var pattern = exception
            if let own = IPAddress(pattern) { return own.unmapped == address }
            if let colon = pattern.lastIndex(of: ":"), let only = Int(pattern[pattern.index(after: colon)...]) {
                guard only == port else { return false }
                pattern = String(pattern[..<colon])
                if let own = IPAddress(pattern.filter { $0 != "[" && $0 != "]" }) { return own.unmapped == address }
            }
            if pattern.hasPrefix("*.") { pattern.removeFirst() }
            if pattern.hasPrefix(".") { return host.hasSuffix(pattern) }
            return host == pattern || host.hasSuffix("." + pattern)
        }
    }

    private static func parse(_ text: String) throws -> ProxyServer {
        // The value may hold a password: no message quotes it.
        let components = URLComponents(string: text.contains("://") ? text : "http://" + text)
        guard let components, let host = components.host?.filter({ $0 != "[" && $0 != "]" }), !host.isEmpty else {
            throw AccessError(
                .configuration,
                "HTTPS_PROXY is not a proxy URL; write http://[user:password@]host:port or socks5://host:port")
        }
        let kind: ProxyServer.Kind
        switch components.scheme?.lowercased() {
        case "http": kind = .http
        case "socks5", "socks5h": kind = .socks5
        default:
            throw AccessError(
                .configuration, "HTTPS_PROXY has a scheme that is not supported; use http:// or socks5://")
        }
        let port = components.port ?? (kind == .http ? 80 : 1080)
        guard (1...65535).contains(port) else {
            throw AccessError(.configuration, "HTTPS_PROXY has no valid port; use a number up to 65535")
        }
        if kind == .socks5, max(components.user?.utf8.count ?? 0, components.password?.utf8.count ?? 0) > 255 {
            throw AccessError(.configuration, "HTTPS_PROXY has a user name or password over 255 bytes")
        }
        return ProxyServer(
            kind: kind, host: host, port: port, user: components.user, password: components.password.map(Secret.init))
    }
}
