import NIOCore

/// An address and port to listen on, as in `127.0.0.1:7844` or `[::]:8443`. Port 0 takes any free one.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// - Throws: `EdgeError` when the text is no address.
    package init(_ text: String) throws {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw Self.malformed(text)
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw Self.malformed(text)
        }
        self.port = Int(port)
        switch host {
        case "": self.host = "0.0.0.0"
        case "localhost": self.host = "127.0.0.1"
        default: self.host = String(host)
        }
        do {
            _ = try socketAddress()
        } catch {
            throw Self.malformed(text)
        }
    }

    private static func malformed(_ text: String) -> EdgeError {
        EdgeError(.configuration, "\"\(text)\" is no address to listen on; give IP:PORT, such as 127.0.0.1:8443")
    }

    /// The IP addresses at which a listener here is reached: this one, or all of the machine's for a wildcard.
    package var reachableAddresses: [String] {
        guard host == "0.0.0.0" || host == "::" else { return [host] }
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.compactMap { $0.address?.ipAddress }
    }

    func socketAddress() throws -> SocketAddress {
        try SocketAddress(ipAddress: host, port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension SocketAddress {
    /// `ip:port`, IPv6 in brackets.
    var text: String {
        guard let ip = ipAddress, let port else { return description }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }

    /// The address without its port; an IPv4 address in IPv6 clothes is shown as IPv4.
    var plainIP: String {
        let ip = ipAddress ?? "unknown"
        return ip.hasPrefix("::ffff:") && ip.contains(".") ? String(ip.dropFirst(7)) : ip
    }
}
