package import TunnelConfig

/// Where an origin is, and what it is called when it does not answer.
package struct OriginTarget: Hashable, Sendable, CustomStringConvertible {
    package enum Address: Hashable, Sendable {
        /// `host` is a name or an address without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    package var address: Address
    /// Of the service: `http`, `https`, `rdp`, `ssh` …; chooses the words of errors.
    package var scheme: String
    package var tls: Bool

    package init(_ address: Address, scheme: String, tls: Bool = false) {
        self.address = address
        self.scheme = scheme
        self.tls = tls
    }

    /// Nil for a service that has no fixed address: bastion and the built-in ones.
    package init?(_ service: OriginService) {
        switch service {
        case .http(let host, let port, let tls):
            self.init(.tcp(host: host, port: port), scheme: tls ? "https" : "http", tls: tls)
        case .unix(let path, let tls):
            self.init(.unix(path: path), scheme: tls ? "https" : "http", tls: tls)
        case .tcp(let scheme, let host, let port):
            self.init(.tcp(host: host, port: port), scheme: scheme)
        case .bastion, .socksProxy, .httpStatus, .helloWorld:
            return nil
        }
    }

    /// `host:port`, with brackets around IPv6, or the socket's path.
    package var description: String {
        switch address {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }

    /// "the desktop at localhost:3389".
    var name: String {
        let kind =
            switch scheme {
            case "rdp": "desktop"
            case "ssh": "SSH server"
            case "smb": "file share"
            case "http", "https": "web service"
            default: "service"
            }
        return "the \(kind) at \(self)"
    }

    /// What to look at when nothing listens.
    var advice: String {
        switch scheme {
        case "rdp": "is RDP enabled on it and listening there?"
        case "ssh": "is sshd running and listening there?"
        case "smb": "is file sharing (SMB) enabled on it and listening there?"
        case "http", "https": "is it running, and is the port right?"
        default: "is it running and listening there?"
        }
    }
}
