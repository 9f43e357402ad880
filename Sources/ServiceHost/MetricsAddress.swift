/// The value of `--metrics`.
package enum MetricsAddress: Sendable, Equatable {
    /// Not given, or equal to the default text: the first free port of 20241 to 20245, then any.
    case automatic(host: String)
    /// Exactly this one; a taken port is an error.
    case fixed(host: String, port: Int)
    /// A unix socket.
    case unix(path: String)
    /// No endpoint.
    case off

    package static let automaticPorts = 20241...20245

    /// Reads the value of `--metrics`.
    ///
    /// - Throws: ``HostError`` with the accepted forms.
    package init(parsing text: String) throws {
        switch text {
        case "", "localhost:0": self = .automatic(host: "127.0.0.1")
        case "0.0.0.0:0": self = .automatic(host: "0.0.0.0")
        case "off": self = .off
        default:
            if text.hasPrefix("unix:") {
                let path = String(text.dropFirst(5))
                guard !path.isEmpty else { throw Self.malformed(text) }
                self = .unix(path: path)
                return
            }
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
                throw Self.malformed(text)
            }
            var host = String(text[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            if host == "localhost" { host = "127.0.0.1" }
            self = .fixed(host: host.isEmpty ? "::" : host, port: Int(port))
        }
    }

    private static func malformed(_ text: String) -> HostError {
        HostError(.value, "cannot serve metrics on \"\(text)\"; give host:port, unix:/path or off")
    }
}
