import AsyncHTTPClient
import Foundation
package import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
package import TunnelConfig

/// The account API of one account, as `cert.pem` names it.
///
/// Lives inside `ControlAPIClient.with`, which opens and shuts its connections. Takes no proxy from the environment and
/// does not follow redirects or repeat requests, like the official client. Throws `ControlAPIError`.
package struct ControlAPIClient: Sendable {
    package struct Configuration: Sendable {
        /// Such as `https://api.site.test:8443/client/v4`.
        package var baseURL: String
        package var account: OriginCertificate
        /// PEM files of authorities besides the system's or the environment's.
        package var authorityFiles: [String] = []
        /// Our version, for the User-Agent.
        package var version: String
        /// Read for `SSL_CERT_FILE` and `SSL_CERT_DIR` only.
        package var environment: [String: String] = [:]
        /// Limit of one call, connecting included.
        package var timeout: Duration = .seconds(15)

        package init(baseURL: String, account: OriginCertificate, version: String) {
            self.baseURL = baseURL
            self.account = account
            self.version = version
        }
    }

    private static let largestAnswer = 8 << 20
    private static let mostPages = 1000

    private let configuration: Configuration
    private let baseURL: String
    private let http: HTTPClient

    /// Runs `body` with a client and shuts it down afterwards.
    package static func with<Value>(
        _ configuration: Configuration, logger: Logger, _ body: (ControlAPIClient) async throws -> Value
    ) async throws -> Value {
        let (baseURL, host) = try checkedBaseURL(configuration.baseURL)
        let roots = try TrustedRoots(
            environment: configuration.environment, extraFiles: configuration.authorityFiles)
        let settings = HTTPClient.Configuration.asking(host, roots: roots, timeout: TimeAmount(configuration.timeout))
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let value: Value
        do {
            value = try await body(ControlAPIClient(configuration: configuration, baseURL: baseURL, http: http))
        } catch {
            try? await http.shutdown()
            throw error
        }
        try? await http.shutdown()
        return value
    }

    private static func checkedBaseURL(_ text: String) throws -> (url: String, host: String) {
        guard let components = URLComponents(string: text), let host = components.host, !host.isEmpty,
            components.scheme == "https" || components.scheme == "http", components.query == nil
        else {
            throw ControlAPIError(
                .configuration, "the account API's address \"\(text)\" is not a URL",
                remedy: "give --api-url in the form https://api.example.com/client/v4")
        }
        // The bearer token may not cross a network in the clear.
        guard components.scheme == "https" || ["localhost", "127.0.0.1", "[::1]", "::1"].contains(host.lowercased())
        else {
            throw ControlAPIError(
                .configuration, "the account API's address \"\(text)\" would show the account's token to the network",
                remedy: "give --api-url with https://")
        }
        return (text.hasSuffix("/") ? String(text.dropLast()) : text, host.lowercased())
    }

    // MARK: One request

    /// What a request is for and where it goes.
    struct Call {
        var operation: String
        var method: HTTPMethod
        var path: String
        var query: [URLQueryItem] = []
        var body: Data?
    }

    var tunnelsPath: String { "/accounts/\(configuration.account.accountID)/cfd_tunnel" }
    var zonePath: String { "/zones/\(configuration.account.zoneID)" }
    var accountID: String { configuration.account.accountID }

    func send<Result: Decodable & Sendable>(
        _ call: Call, as type: Result.Type
    ) async throws -> (result: Result?, page: APIPage?) {
        var request = HTTPClientRequest(url: try url(call))
        request.method = call.method
        request.headers.add(name: "Authorization", value: "Bearer \(configuration.account.apiToken.text)")
        request.headers.add(name: "User-Agent", value: "cloudflared/\(configuration.version)")
        request.headers.add(name: "Accept", value: "application/json;version=1")
        if let body = call.body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            let (status, body) = try await exchange(request)
            return try decode(body, status: status, call)
        } catch let error as ControlAPIError {
            throw error
        } catch {
            throw explain(error, call)
        }
    }

    /// The client's own deadline ends with the head, so the whole exchange runs against a clock of ours.
    private func exchange(_ request: HTTPClientRequest) async throws -> (HTTPResponseStatus, ByteBuffer) {
        let http = http
        let limit = configuration.timeout
        return try await withThrowingTaskGroup(of: (HTTPResponseStatus, ByteBuffer).self) { group in
            group.addTask {
                let response = try await http.execute(request, timeout: TimeAmount(limit))
                return (response.status, try await response.body.collect(upTo: Self.largestAnswer))
            }
            group.addTask {
                try await Task.sleep(for: limit)
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    /// Every page of a list.
    func sendList<Item: Decodable & Sendable>(_ call: Call, of type: Item.Type) async throws -> [Item] {
        var items: [Item] = []
        for page in 1...Self.mostPages {
            var paged = call
            paged.query.append(URLQueryItem(name: "page", value: String(page)))
            let (result, info) = try await send(paged, as: [Item].self)
            items += result ?? []
            guard let info, info.count > 0, info.count >= info.perPage, items.count < info.totalCount else {
                return items
            }
        }
        return items
    }

    private func url(_ call: Call) throws -> String {
        guard var components = URLComponents(string: baseURL + call.path) else {
            throw ControlAPIError(
                .configuration, "cannot \(call.operation): \"\(call.path)\" does not make a URL",
                remedy: "check cert.pem and the account API's address")
        }
        if !call.query.isEmpty {
            components.queryItems = call.query
            // A plus would be read as a space.
            components.percentEncodedQuery = components.percentEncodedQuery?.replacingOccurrences(of: "+", with: "%2B")
        }
        return components.string ?? baseURL + call.path
    }

    private func decode<Result: Decodable & Sendable>(
        _ body: ByteBuffer, status: HTTPResponseStatus, _ call: Call
    ) throws -> (result: Result?, page: APIPage?) {
        let data = Data(body.readableBytesView)
        guard status == .ok else {
            let problems = (try? JSONDecoder().decode(APIEnvelope<APINothing>.self, from: data))?.errors ?? []
            throw refusal(status, problems, call)
        }
        let envelope: APIEnvelope<Result>
        do {
            envelope = try JSONDecoder().decode(APIEnvelope<Result>.self, from: data)
        } catch {
            throw ControlAPIError(
                .badAnswer, "cannot \(call.operation): the answer of \(hop) is not the account API's",
                remedy: "check that --api-url leads to an account API", cause: error)
        }
        guard envelope.success, envelope.errors.isEmpty else { throw refusal(status, envelope.errors, call) }
        return (envelope.result, envelope.page)
    }

    private var hop: String { "the account API at \(baseURL)" }

    private func refusal(
        _ status: HTTPResponseStatus, _ problems: [APIProblem], _ call: Call
    ) -> ControlAPIError {
        let code: ControlAPIError.Code
        let remedy: String
        switch status.code {
        case 401, 403:
            code = .unauthorized
            remedy = "use the cert.pem of this account: cloudflared-edge init wrote it into the edge's data directory"
        case 404:
            code = .notFound
            remedy = "check the name or id, and that --api-url ends as in https://api.example.com/client/v4"
        case 409:
            code = .conflict
            remedy = "use what exists, or choose another name"
        case 400..<500:
            code = .refused
            remedy = "correct what was asked for"
        default:
            code = .refused
            remedy = "try again, and see the server's log"
        }
        let reason =
            problems.isEmpty
            ? "status \(status.code) \(status.reasonPhrase)"
            : problems.map(\.description).joined(separator: "; ")
        return ControlAPIError(
            code, "cannot \(call.operation): \(hop) answered: \(reason)", remedy: remedy, problems: problems)
    }

    private func explain(_ error: any Error, _ call: Call) -> any Error {
        if error is CancellationError { return error }
        let start = "cannot \(call.operation): \(hop)"
        if error is NIOTooManyBytesError {
            return ControlAPIError(
                .badAnswer, "\(start) sent more than \(Self.largestAnswer >> 20) MiB",
                remedy: "check that --api-url leads to an account API", cause: error)
        }
        if Self.isTrustFailure(error) {
            return ControlAPIError(
                .untrusted, "\(start) shows a certificate that is not trusted (\(error))",
                remedy:
                    "give the edge's authority with --cacert or SSL_CERT_FILE, and check the host name and the clock",
                cause: error)
        }
        let timedOut = (error as? HTTPClientError).map {
            [.deadlineExceeded, .connectTimeout, .readTimeout].contains($0)
        }
        let reason =
            timedOut == true ? "did not answer within \(configuration.timeout)" : "cannot be reached (\(error))"
        return ControlAPIError(
            .unreachable, "\(start) \(reason)", remedy: "check --api-url, and that the edge runs", cause: error)
    }

    private static func isTrustFailure(_ error: any Error) -> Bool {
        if error is NIOSSLExtraError { return true }
        guard let error = error as? NIOSSLError, case .handshakeFailed = error else { return false }
        return String(describing: error).contains("CERTIFICATE_VERIFY_FAILED")
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let parts = duration.components
        self = .nanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    }
}
