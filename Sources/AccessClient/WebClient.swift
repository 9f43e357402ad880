package import Access
import AsyncHTTPClient
import ByteStream
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import TunnelConfig

/// Asks the servers of a login: over the same authorities, proxies and overrides as the forwarders of a command.
///
/// A value. Each question has connections of its own, which end with it: there are few, and far apart.
package struct WebClient: LoginTransport {
    private let authorityFiles: [String]
    private let environment: [String: String]
    private let override: (place: WebURL, target: ConnectTo)?

    /// - Parameters:
    ///   - authorityFiles: the `--cacert` files.
    ///   - environment: for `SSL_CERT_FILE`, `SSL_CERT_DIR` and the proxy variables.
    ///   - hostname: of which `connectTo` speaks.
    ///   - connectTo: replaces the dialled address of that host.
    package init(
        authorityFiles: [String], environment: [String: String], hostname: AccessHostname? = nil,
        connectTo: ConnectTo? = nil
    ) {
        self.authorityFiles = authorityFiles
        self.environment = environment
        override = hostname.flatMap { hostname in connectTo.map { (WebURL(hostname), $0) } }
    }

    package func send(_ request: WebRequest) async throws -> WebAnswer {
        let target = target(of: request.url)
        let http = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: try settings(target, timeout: request.timeout))
        let answer: WebAnswer
        do {
            answer = try await exchange(request, target, http)
        } catch {
            try? await http.shutdown()
            throw Task.isCancelled ? CancellationError() : described(error, request, target)
        }
        try? await http.shutdown()
        return answer
    }

    /// The client's own deadline ends with the head, so the whole exchange runs against a clock of ours.
    private func exchange(_ request: WebRequest, _ target: ConnectTo, _ http: HTTPClient) async throws -> WebAnswer {
        let name = target.serverName.contains(":") ? "[\(target.serverName)]" : target.serverName
        var asked = HTTPClientRequest(
            url: "https://\(name):\(target.port)\(request.url.path)\(request.url.query.map { "?" + $0 } ?? "")")
        asked.method = request.method
        asked.headers = request.headers
        asked.headers.replaceOrAdd(name: "Host", value: request.url.authority)
        if !request.body.isEmpty { asked.body = .bytes(ByteBuffer(bytes: request.body)) }
        return try await withThrowingTaskGroup(of: WebAnswer.self) { [asked] group in
            group.addTask {
                let response = try await http.execute(asked, timeout: TimeAmount(request.timeout))
                // A head is all there is to the answer of HEAD.
                let body =
                    request.method == .HEAD
                    ? ByteBuffer() : try await response.body.collect(upTo: request.longestBody)
                return WebAnswer(
                    status: Int(response.status.code), headers: response.headers, body: Array(body.readableBytesView))
            }
            group.addTask {
                try await Task.sleep(for: request.timeout)
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    private func target(of url: WebURL) -> ConnectTo {
        if let override, override.place.isSamePlace(as: url) { return override.target }
        return ConnectTo(host: url.host, port: url.port, serverName: url.host)
    }

    private func settings(_ target: ConnectTo, timeout: Duration) throws -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration()
        settings.tlsConfiguration = try TrustedAuthorities.settings(
            authorityFiles: authorityFiles, environment: environment)
        settings.httpVersion = .http1Only
        settings.redirectConfiguration = .disallow
        // Else a certificate that is not accepted looks like a server that does not answer.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.timeout = HTTPClient.Configuration.Timeout(connect: TimeAmount(timeout))
        // Names under localhost are this machine without asking anyone (RFC 6761 section 6.3).
        let host = ProxySettings.isLocalhostName(target.host) ? "127.0.0.1" : target.host
        if host != target.serverName { settings.dnsOverride = [target.serverName: host] }
        if let proxy = try ProxySettings(environment: environment).proxy(forHost: target.host, port: target.port) {
            settings.proxy = try Self.proxy(proxy)
        }
        return settings
    }

    private static func proxy(_ proxy: ProxyServer) throws -> HTTPClient.Configuration.Proxy {
        switch proxy.kind {
        case .http:
            return .server(
                host: proxy.host, port: proxy.port,
                authorization: proxy.login.map { .basic(username: $0.user, password: $0.password) })
        case .socks5:
            guard proxy.login == nil else {
                throw AccessError(
                    .configuration,
                    "HTTPS_PROXY: a login needs a SOCKS5 proxy without user and password, or an HTTP one")
            }
            return .socksServer(host: proxy.host, port: proxy.port)
        }
    }

    private func described(_ error: any Error, _ request: WebRequest, _ target: ConnectTo) -> any Error {
        if error is AccessError { return error }
        let place = "\(target.host):\(target.port)"
        if let error = error as? HTTPClientError, [.deadlineExceeded, .connectTimeout, .readTimeout].contains(error) {
            return AccessError(
                .timedOut, "\(request.url.place) did not answer within \(request.timeout); check that the edge is up")
        }
        if error is NIOConnectionError || (error as? IOError)?.errnoCode == ECONNREFUSED {
            return DialFailure.describe(error, target: place)
        }
        if error is NIOTooManyBytesError {
            return AccessError(.notWebSocket, "\(request.url.place) sent more than it should")
        }
        return DialFailure.describe(error, serverName: target.serverName, target: place)
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let parts = duration.components
        self = .nanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    }
}
