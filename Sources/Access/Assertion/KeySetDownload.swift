import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL

/// Gets a team's key set. Follows no redirect, takes no proxy, and checks the certificate.
enum KeySetDownload {
    private static let patience = TimeAmount.seconds(10)
    /// A real set has a few keys.
    private static let longest = 1 << 20

    static func get(_ url: String, authorityFiles: [String]) async throws -> [UInt8] {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.additionalTrustRoots = try authorityFiles.map { .certificates(try NIOSSLCertificate.fromPEMFile($0)) }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: patience, read: patience)
        configuration.httpVersion = .http1Only
        // Asked once an hour: a client that is kept would only keep a connection.
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let response = try await http.execute(HTTPClientRequest(url: url), timeout: patience)
            guard response.status == .ok else { throw AssertionError.badAnswer(status: Int(response.status.code)) }
            let body = try await response.body.collect(upTo: longest)
            try? await http.shutdown()
            return Array(body.readableBytesView)
        } catch {
            try? await http.shutdown()
            throw error
        }
    }
}
