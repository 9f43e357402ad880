import AccessPolicy
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// One request to an identity provider, on a connection of its own: logins are rare, and so nothing needs to be kept.
struct ProviderExchange: Sendable {
    private static let largestAnswer = 1 << 20

    let provider: IdentityProvider
    /// For failures.
    let hop: String
    let patience: Duration

    func get(_ url: String, bearer: String? = nil) async throws -> Data {
        var request = HTTPClientRequest(url: url)
        if let bearer { request.headers.add(name: "authorization", value: "Bearer \(bearer)") }
        return try await send(request)
    }

    func post(_ url: String, form: String, authorization: String?) async throws -> Data {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        if let authorization { request.headers.add(name: "authorization", value: authorization) }
        request.body = .bytes(ByteBuffer(string: form))
        return try await send(request)
    }

    private func send(_ request: HTTPClientRequest) async throws -> Data {
        var request = request
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "cloudflared-edge")
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try settings())
        let result: Result<Data, any Error>
        do {
            result = .success(try await exchange(request, http))
        } catch {
            result = .failure(error)
        }
        try? await http.shutdown()
        do {
            return try result.get()
        } catch let failure as ProviderFailure {
            throw failure
        } catch is CancellationError {
            throw CancellationError()
        } catch is NIOTooManyBytesError {
            throw ProviderFailure(.badAnswer, hop, "the answer is longer than 1 MiB")
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .connectTimeout {
            throw ProviderFailure(.unreachable, hop, "no answer within \(patience)")
        } catch let error where error is NIOSSLError || error is NIOSSLExtraError {
            throw ProviderFailure(
                .unreachable, hop, "its certificate is not trusted; give the provider's authority as ca_pool")
        } catch {
            throw ProviderFailure(.unreachable, hop, "it cannot be reached")
        }
    }

    /// The client's own deadline ends with the head, so the whole exchange runs against a clock of ours.
    private func exchange(_ request: HTTPClientRequest, _ http: HTTPClient) async throws -> Data {
        try await withThrowingTaskGroup(of: Data.self) { group in
            group.addTask { [hop] in
                let response = try await http.execute(request, timeout: .seconds(10))
                let body = try await response.body.collect(upTo: Self.largestAnswer)
                switch response.status.code {
                case 200: return Data(body.readableBytesView)
                case 400, 401, 403:
                    throw ProviderFailure(
                        .refused, hop, "it answered \(response.status.code); check client id and secret")
                default: throw ProviderFailure(.badAnswer, hop, "it answered \(response.status.code)")
                }
            }
            group.addTask { [patience] in
                try await Task.sleep(for: patience)
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }

    private func settings() throws -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = provider.authorityFile {
            guard let roots = try? NIOSSLCertificate.fromPEMFile(file), !roots.isEmpty else {
                throw ProviderFailure(.unreachable, hop, "the file of its authorities (ca_pool) cannot be read")
            }
            tls.trustRoots = .certificates(roots)
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // A redirect could lead the secret away.
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(10))
        configuration.httpVersion = .http1Only
        return configuration
    }
}
