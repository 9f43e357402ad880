import ControlAPI
import ControlServer
import EdgeStore
import Foundation
import Hummingbird
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import TunnelConfig

/// An account API over a store in memory.
struct API {
    static let token = "t0ken"
    static let accountID = "0123456789abcdef0123456789abcdef"
    static let zoneID = "fedcba9876543210fedcba9876543210"
    static let start = Date(timeIntervalSince1970: 1_800_000_000)

    let store = MemoryStore(
        account: Account(
            id: accountID, zoneID: zoneID, zone: "site.localhost", team: "acme",
            tokenHash: Account.hash(token: token.utf8), createdAt: start))
    let server: ControlServer

    init() {
        server = ControlServer(store: store, logger: Logger(label: "test"), now: { Self.start })
    }

    struct Answer {
        let status: Int
        let headers: [String: String]
        let json: [String: Any]

        var result: Any? { json["result"] }
        var object: [String: Any] { result as? [String: Any] ?? [:] }
        var list: [[String: Any]] { result as? [[String: Any]] ?? [] }
        var error: [String: Any] { (json["errors"] as? [[String: Any]])?.first ?? [:] }
        var message: String { error["message"] as? String ?? "" }
    }

    func call(
        _ method: String, _ path: String, body: String = "", authorization: String? = "Bearer \(token)"
    ) async -> Answer {
        let headers = authorization.map { [(name: "AUTHORIZATION", value: $0)] } ?? []
        let reply = await server.respond(
            method: method, path: "/client/v4" + path, headers: headers, body: ByteBuffer(string: body))
        let json = try? JSONSerialization.jsonObject(with: Data(reply.body.readableBytesView)) as? [String: Any]
        return Answer(
            status: reply.status, headers: Dictionary(reply.headers.map { ($0.name, $0.value) }) { $1 },
            json: json ?? [:])
    }

    var tunnels: String { "/accounts/\(Self.accountID)/cfd_tunnel" }

    func route(_ hostname: String, to id: String, overwrite: Bool = false, type: String = "dns") async -> Answer {
        await call(
            "PUT", "/zones/\(Self.zoneID)/tunnels/\(id)/routes",
            body: #"{"type":"\#(type)","user_hostname":"\#(hostname)","overwrite_existing":\#(overwrite)}"#)
    }

    func create(_ name: String) async -> String {
        let secret = Data((0..<32).map { UInt8($0) }).base64EncodedString()
        return await call("POST", tunnels, body: #"{"name":"\#(name)","tunnel_secret":"\#(secret)"}"#)
            .object["id"] as? String ?? ""
    }

    /// Runs `body` with a client of this API, over TLS on a loopback listener that shows a certificate for `names`.
    func withClient<Value: Sendable>(
        names: [String] = ["api.site.localhost"], host: String = "api.site.localhost", trusted: Bool = true,
        token: String = API.token, notAfter: Date = Date().addingTimeInterval(3600),
        _ body: @escaping @Sendable (ControlAPIClient) async throws -> Value
    ) async throws -> Value {
        let authority = try CertificateAuthority(
            name: "test", notBefore: Date(), notAfter: Date().addingTimeInterval(86_400))
        let leaf = try authority.issue(names: names, notAfter: notAfter)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [
                .certificate(try NIOSSLCertificate(bytes: Array(leaf.certificatePEM.utf8), format: .pem))
            ],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(leaf.keyPEM.utf8), format: .pem)))
        tls.applicationProtocols = ["http/1.1"]
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("ca-\(UUID().uuidString).pem")
        try authority.certificatePEM.write(to: root, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: root) }

        let server = server
        let (ports, gotPort) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                let reply = await server.respond(
                    method: request.method.rawValue, path: request.head.path ?? "",
                    headers: request.headers.map { ($0.name.rawName, $0.value) },
                    body: try await request.body.collect(upTo: ControlServer.largestBody))
                var response = Response(
                    status: HTTPResponse.Status(code: reply.status),
                    body: ResponseBody(byteBuffer: reply.body))
                response.headers[.contentType] = reply.headers.first { $0.name == "content-type" }?.value
                return response
            },
            server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { gotPort.yield($0.localAddress?.port ?? 0) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let port = await iterator.next() ?? 0
            var configuration = ControlAPIClient.Configuration(
                baseURL: "https://\(host):\(port)/client/v4",
                account: OriginCertificate(zoneID: Self.zoneID, accountID: Self.accountID, apiToken: APIToken(token)),
                version: "test")
            if trusted { configuration.environment = ["SSL_CERT_FILE": root.path] }
            let value = try await ControlAPIClient.with(configuration, logger: Logger(label: "test"), body)
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
            return value
        }
    }
}
