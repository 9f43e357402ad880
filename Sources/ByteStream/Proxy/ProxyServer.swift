import FoundationEssentials

/// A proxy on the way to a server.
package struct ProxyServer: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// HTTP CONNECT.
        case http
        /// SOCKS5; the proxy resolves names.
        case socks5
    }

    /// Who we are to the proxy. Never printed.
    package struct Login: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        package let user: String
        package let password: String

        package init(user: String, password: String = "") {
            self.user = user
            self.password = password
        }

        package var description: String { "(redacted)" }
        package var debugDescription: String { description }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// What is wrong with a proxy's URL. The URL may hold a password, so nothing of it is quoted.
    package enum URLError: Error, CustomStringConvertible {
        case noURL, unknownScheme, badPort, longLogin

        package var description: String {
            switch self {
            case .noURL: "is not a proxy URL; write http://[user:password@]host:port or socks5://host:port"
            case .unknownScheme: "has a scheme that is not supported; use http:// or socks5://"
            case .badPort: "has no valid port; use a number up to 65535"
            case .longLogin: "has a user name or password over 255 bytes"
            }
        }
    }

    package var kind: Kind
    package var host: String
    package var port: Int
    package var login: Login?

    package init(kind: Kind, host: String, port: Int, login: Login? = nil) {
        self.kind = kind
        self.host = host
        self.port = port
        self.login = login
    }

    /// - Parameter url: `http://[user:password@]host[:port]` or `socks5://…`; without a scheme it is HTTP.
    package init(url: String) throws(URLError) {
        let components = URLComponents(string: url.contains("://") ? url : "http://" + url)
        guard let components, let host = components.host?.filter({ $0 != "[" && $0 != "]" }), !host.isEmpty else {
            throw .noURL
        }
        switch components.scheme?.lowercased() {
        case "http": kind = .http
        case "socks5", "socks5h": kind = .socks5
        default: throw .unknownScheme
        }
        let port = components.port ?? (kind == .http ? 80 : 1080)
        guard (1...65535).contains(port) else { throw .badPort }
        if kind == .socks5, max(components.user?.utf8.count ?? 0, components.password?.utf8.count ?? 0) > 255 {
            throw .longLogin
        }
        self.host = host
        self.port = port
        login = components.user.map { Login(user: $0, password: components.password ?? "") }
    }

    /// Without the login.
    package var description: String {
        "\(kind == .http ? "http" : "socks5")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
