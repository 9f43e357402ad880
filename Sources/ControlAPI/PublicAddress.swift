import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// A web address that is asked as a stranger would, to see whether it is served.
///
/// A value. Each question has a connection of its own: one that is kept would say nothing about the way for the next.
package struct PublicAddress: Sendable {
    /// For messages: a query may hold a secret.
    private let name: String
    private let url: String
    private let settings: HTTPClient.Configuration
    /// Whoever asks gives up earlier.
    private static let timeout = TimeAmount.seconds(30)

    /// - Parameters:
    ///   - authorityFiles: PEM files of authorities besides the system's or the environment's.
    ///   - environment: read for `SSL_CERT_FILE` and `SSL_CERT_DIR` only.
    /// - Throws: `ControlAPIError` (configuration) for what is no such address, and for files that cannot be used.
    package init(_ url: String, authorityFiles: [String], environment: [String: String]) throws {
        guard var components = URLComponents(string: url), let host = components.host?.lowercased(), !host.isEmpty,
            components.scheme == "https" || components.scheme == "http", components.user == nil
        else {
            throw ControlAPIError(
                .configuration, "the address to ask is not a URL", remedy: "write https://app.example.com/healthz")
        }
        components.query = nil
        components.fragment = nil
        name = components.string ?? host
        self.url = url
        let roots = try TrustedRoots(environment: environment, extraFiles: authorityFiles)
        settings = .asking(host, roots: roots, timeout: Self.timeout)
    }

    /// Asks once.
    ///
    /// - Throws: `ControlAPIError` unless the answer is 200 to 299: a redirection may lead to a sign-on that stands before
    ///   what was asked for.
    package func ask() async throws {
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let result: Result<UInt, any Error>
        do {
            let request = HTTPClientRequest(url: url)
            result = .success(try await http.execute(request, timeout: Self.timeout).status.code)
        } catch {
            result = .failure(error)
        }
        try? await http.shutdown()
        switch result {
        case .success(200..<300): return
        case .success(let status):
            throw ControlAPIError(
                .refused, "\(name) answered \(status)", remedy: "it must lead through this tunnel and answer 2xx")
        case .failure(let error):
            throw ControlAPIError(
                .unreachable, "\(name) cannot be reached (\(error))", remedy: "see whether a browser can", cause: error)
        }
    }
}

extension HTTPClient.Configuration {
    /// No proxy from the environment, no redirects, nothing twice.
    static func asking(_ host: String, roots: TrustedRoots, timeout: TimeAmount) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = roots.main
        tls.additionalTrustRoots = roots.additional
        settings.tlsConfiguration = tls
        settings.redirectConfiguration = .disallow
        // Else a certificate that is not accepted looks like a server that does not answer.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.timeout = HTTPClient.Configuration.Timeout(connect: timeout)
        // Names under .localhost are this machine's, whether a resolver knows them or not (RFC 6761, 6.3).
        if host == "localhost" || host.hasSuffix(".localhost") { settings.dnsOverride = [host: "127.0.0.1"] }
        return settings
    }
}
