/// What a rule serves: the `service` of an ingress rule, or what `--url` and its siblings ask for.
package enum OriginService: Hashable, Sendable {
    /// `http://`, `https://`, `ws://`, `wss://`. `host` has no brackets.
    case http(host: String, port: Int, tls: Bool)
    /// `unix:PATH`, `unix+tls:PATH`.
    case unix(path: String, tls: Bool)
    /// Any other scheme: bytes over WebSocket. `scheme` is lower case.
    case tcp(scheme: String, host: String, port: Int)
    /// The client names the destination, within an allow-list.
    case bastion
    /// The client names the destination in SOCKS5, within `ipRules`.
    case socksProxy
    /// A fixed answer, 100–999.
    case httpStatus(Int)
    /// The built-in test server.
    case helloWorld

    /// The port that a stream scheme stands for, nil for a scheme without one.
    package static func defaultPort(forScheme scheme: String) -> Int? {
        switch scheme {
        case "ssh": 22
        case "rdp": 3389
        case "smb": 445
        case "tcp": 7864
        case "http", "ws": 80
        case "https", "wss": 443
        default: nil
        }
    }

    /// Reads the `service` of a rule. The forms are tried in the official order; prefixes are case-sensitive.
    package static func parse(_ text: String) throws(ConfigError) -> OriginService {
        if text.isEmpty {
            throw ConfigError("the service is empty", suggestion: "write for example http://localhost:8080")
        }
        if let path = text.dropping(prefix: "unix:") { return try unix(path, tls: false) }
        if let path = text.dropping(prefix: "unix+tls:") { return try unix(path, tls: true) }
        if let code = text.dropping(prefix: "http_status:") {
            guard let status = Int(code), (100...999).contains(status), code.utf8.count == 3 else {
                throw ConfigError(
                    "\(quoted(code)) is not an HTTP status code", suggestion: "use a number from 100 to 999")
            }
            return .httpStatus(status)
        }
        switch text {
        case "hello_world", "hello-world": return .helloWorld
        case "socks-proxy": return .socksProxy
        case "bastion": return .bastion
        default: return try parseURL(text)
        }
    }

    /// Reads `--url`, which is more forgiving: no scheme means `http`, a path is dropped, percent escapes are decoded.
    package static func parseURLFlag(_ text: String) throws(ConfigError) -> OriginService {
        guard !text.isEmpty else {
            throw ConfigError(
                "the URL is empty", suggestion: "write for example http://localhost:8080 or rdp://localhost:3389")
        }
        guard let decoded = text.removingPercentEscapes() else {
            throw ConfigError("\(quoted(text)) has a broken percent escape")
        }
        var url = try URLText(decoded)
        if url.scheme == nil { url.scheme = "http" }
        guard let scheme = url.scheme, ["http", "https", "rdp", "ssh", "smb", "tcp"].contains(scheme) else {
            throw ConfigError(
                "the scheme \(quoted(url.scheme ?? "")) is not supported",
                suggestion: "use http, https, rdp, ssh, smb or tcp")
        }
        return try service(of: url, scheme: scheme, text: text)
    }

    /// Whether connections to it are streams over WebSocket and not HTTP requests.
    package var isStream: Bool {
        switch self {
        case .tcp, .bastion, .socksProxy: true
        default: false
        }
    }

    private static func unix(_ path: Substring, tls: Bool) throws(ConfigError) -> OriginService {
        guard !path.isEmpty else {
            throw ConfigError("the unix socket has no path", suggestion: "write unix:/run/app.sock")
        }
        // sun_path holds 108 bytes with its terminator; a longer path fails at every request instead of here.
        guard path.utf8.count < 108, !path.utf8.contains(0) else {
            throw ConfigError("the unix socket path has more than 107 bytes", suggestion: "use a shorter path")
        }
        return .unix(path: String(path), tls: tls)
    }

    private static func parseURL(_ text: String) throws(ConfigError) -> OriginService {
        let url = try URLText(text)
        guard let scheme = url.scheme, !url.host.isEmpty else {
            throw ConfigError(
                "\(url.hasUserInfo ? "the address" : quoted(text)) is not an address with scheme and host",
                suggestion: url.scheme == nil && !url.host.isEmpty && !url.hasUserInfo
                    ? "did you mean http://\(text)?" : "write for example http://localhost:8080")
        }
        guard url.path.isEmpty, url.fragment == nil else {
            throw ConfigError(
                "the address has the path \(quoted(url.path)), and a path on the origin is not supported",
                suggestion: "write \(scheme)://\(authority(url.host, nil))\(url.port.map { ":" + $0 } ?? "");"
                    + " the path of each request is passed on")
        }
        return try service(of: url, scheme: scheme, text: text)
    }

    private static func service(of url: URLText, scheme: String, text: String) throws(ConfigError) -> OriginService {
        guard !url.hasUserInfo else {
            throw ConfigError(
                "a user name or password in the address is not supported", suggestion: "remove the part before @")
        }
        let host = try url.dialHost(whole: text)
        let port = try url.portNumber() ?? defaultPort(forScheme: scheme)
        guard let port else {
            throw ConfigError("the scheme \(quoted(scheme)) has no default port", suggestion: "write \(text):PORT")
        }
        return switch scheme {
        case "http", "ws": .http(host: host, port: port, tls: false)
        case "https", "wss": .http(host: host, port: port, tls: true)
        default: .tcp(scheme: scheme, host: host, port: port)
        }
    }
}

extension OriginService: CustomStringConvertible {
    /// The service as it is written in a rule.
    package var description: String {
        switch self {
        case .http(let host, let port, let tls):
            "\(tls ? "https" : "http")://\(authority(host, port == (tls ? 443 : 80) ? nil : port))"
        case .unix(let path, let tls): "\(tls ? "unix+tls" : "unix"):\(path)"
        case .tcp(let scheme, let host, let port): "\(scheme)://\(authority(host, port))"
        case .bastion: "bastion"
        case .socksProxy: "socks-proxy"
        case .httpStatus(let code): "http_status:\(code)"
        case .helloWorld: "hello_world"
        }
    }
}

extension String {
    func dropping(prefix: String) -> Substring? {
        hasPrefix(prefix) ? self[utf8.index(startIndex, offsetBy: prefix.utf8.count)...] : nil
    }

    /// Nil when an escape is broken or the result is not UTF-8.
    fileprivate func removingPercentEscapes() -> String? {
        guard utf8.contains(UInt8(ascii: "%")) else { return self }
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(), let first = high.hexValue,
                let second = low.hexValue
            else { return nil }
            bytes.append(first << 4 | second)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    var hexValue: UInt8? {
        switch self {
        case 48...57: self - 48
        case 65...70: self - 55
        case 97...102: self - 87
        default: nil
        }
    }
}
