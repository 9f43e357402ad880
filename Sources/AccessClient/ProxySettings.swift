import ByteStream
import TunnelConfig

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
        do {
            return try ProxyServer(url: proxy)
        } catch {
            throw AccessError(.configuration, "HTTPS_PROXY \(error)")
        }
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
}
