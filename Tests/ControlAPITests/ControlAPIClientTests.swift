import ControlAPI
import Foundation
import Hummingbird
import Logging
import NIOCore
import Testing
import TunnelConfig

/// The client against servers that answer what we say. The real account API is in ControlServerTests.
@Suite struct ControlAPIClientTests {
    private let tunnelID = UUID()

    @Test func `every call carries token, agent and version`() async throws {
        let answer =
            #"{"success":true,"errors":[],"result":[],"result_info":{"count":0,"page":1,"per_page":20,"total_count":0}}"#
        let seen = try await withServer({ _ in (.ok, answer) }) { client in
            _ = try await client.tunnels(APITunnelFilter())
        }
        let request = try #require(seen.first)
        #expect(request.headers[.authorization] == "Bearer s3cret")
        #expect(request.headers[.userAgent] == "cloudflared/2026.11.0")
        #expect(request.headers[.accept] == "application/json;version=1")
        #expect(request.headers[.contentType] == nil)
        #expect(request.path == "/client/v4/accounts/acc/cfd_tunnel?is_deleted=false&page=1")
    }

    @Test func `names in queries are encoded`() async throws {
        let answer = #"{"success":true,"errors":[],"result":[]}"#
        let seen = try await withServer({ _ in (.ok, answer) }) { client in
            var filter = APITunnelFilter()
            filter.name = "a b+c&d=ü"
            _ = try await client.tunnels(filter)
        }
        #expect(
            seen.first?.path == "/client/v4/accounts/acc/cfd_tunnel?is_deleted=false&name=a%20b%2Bc%26d%3D%C3%BC&page=1"
        )
    }

    @Test func `pages are asked for until they end`() async throws {
        let ids = (0..<5).map { _ in UUID() }
        let seen = try await withServer({ path in
            let page = path.hasSuffix("page=1") ? 1 : path.hasSuffix("page=2") ? 2 : 3
            let items = ids.dropFirst((page - 1) * 2).prefix(2).map { #"{"id":"\#($0.lowercased)","name":"t"}"# }
            return (
                .ok,
                #"{"success":true,"errors":[],"result":[\#(items.joined(separator: ","))],"result_info":{"count":\#(items.count),"page":\#(page),"per_page":2,"total_count":5}}"#
            )
        }) { client in
            let all = try await client.tunnels(APITunnelFilter())
            #expect(all.map(\.id) == ids)
        }
        #expect(seen.count == 3)
    }

    @Test(arguments: [
        (401, ControlAPIError.Code.unauthorized), (403, .unauthorized), (404, .notFound), (409, .conflict),
        (400, .refused), (500, .refused), (201, .refused), (302, .refused),
    ])
    func `a refusal names the hop, the server's reason and a remedy`(_ status: Int, _ code: ControlAPIError.Code)
        async throws
    {
        let answer = #"{"success":false,"errors":[{"code":1234,"message":"because"},{"code":"5","message":"so"}]}"#
        try await withServer({ _ in (HTTPResponse.Status(code: status), answer) }) { client in
            let error = await #expect(throws: ControlAPIError.self) {
                try await client.deleteTunnel(tunnelID, cascade: true)
            }
            #expect(error?.code == code)
            #expect(error?.message.contains("the account API at http://127.0.0.1:") == true)
            #expect(error?.message.contains("because (code 1234); so (code 5)") == true)
            #expect(error?.remedy.isEmpty == false)
            #expect(error.map { "\($0)".contains("s3cret") } == false)
        }
    }

    @Test func `a success that is none is an error`() async throws {
        for answer in [#"{"success":false,"errors":[]}"#, #"{"success":true,"errors":[{"code":1,"message":"x"}]}"#] {
            try await withServer({ _ in (.ok, answer) }) { client in
                let error = await #expect(throws: ControlAPIError.self) { _ = try await client.tunnel(tunnelID) }
                #expect(error?.code == .refused)
            }
        }
    }

    @Test func `an answer of something else says so`() async throws {
        for answer in [
            "", "<html>", "[]", #"{"success":true,"errors":[],"result":{"id":1}}"#, #"{"success":true,"result":null}"#,
        ] {
            try await withServer({ _ in (.ok, answer) }) { client in
                let error = await #expect(throws: ControlAPIError.self) { _ = try await client.tunnel(tunnelID) }
                #expect(error?.code == .badAnswer, "\(answer)")
            }
        }
    }

    @Test func `an answer without end is cut off`() async throws {
        let piece = String(repeating: " ", count: 1 << 20)
        let huge = String(repeating: piece, count: 9)
        try await withServer({ _ in (.ok, huge) }) { client in
            let error = await #expect(throws: ControlAPIError.self) { _ = try await client.tunnel(tunnelID) }
            #expect(error?.code == .badAnswer)
            #expect(error?.message.contains("more than 8 MiB") == true)
        }
    }

    @Test func `nobody there is unreachable`() async throws {
        // Port 9 of this host: nothing listens below 1024 that answers there.
        let error = await #expect(throws: ControlAPIError.self) {
            try await ControlAPIClient.with(
                configuration("http://127.0.0.1:9/client/v4"), logger: Logger(label: "test")
            ) {
                _ = try await $0.tunnel(tunnelID)
            }
        }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("http://127.0.0.1:9/client/v4") == true)
    }

    @Test(arguments: ["", "api.site.test", "ftp://x/", "https://", "https://x/?a=b"])
    func `what is no address of an API is refused`(_ url: String) async {
        let error = await #expect(throws: ControlAPIError.self) {
            try await ControlAPIClient.with(configuration(url), logger: Logger(label: "test")) { _ in }
        }
        #expect(error?.code == .configuration)
    }

    @Test func `an authority file that is none is named`() async {
        var configuration = configuration("https://127.0.0.1:9")
        configuration.authorityFiles = ["/nonexistent/ca.pem"]
        let error = await #expect(throws: ControlAPIError.self) {
            try await ControlAPIClient.with(configuration, logger: Logger(label: "test")) { _ in }
        }
        #expect(error?.code == .configuration)
        #expect(error?.message == "--cacert: /nonexistent/ca.pem does not exist")
    }

    // MARK: Fixture

    private func configuration(_ url: String) -> ControlAPIClient.Configuration {
        ControlAPIClient.Configuration(
            baseURL: url,
            account: OriginCertificate(zoneID: "zone", accountID: "acc", apiToken: APIToken("s3cret")),
            version: "2026.11.0")
    }

    struct Seen: Sendable {
        let path: String
        let headers: HTTPFields
    }

    /// Runs `body` with a client of a server that answers each path as told; gives back what the server saw.
    @discardableResult
    private func withServer(
        _ answer: @escaping @Sendable (String) -> (HTTPResponse.Status, String),
        _ body: @escaping @Sendable (ControlAPIClient) async throws -> Void
    ) async throws -> [Seen] {
        let seen = SeenRequests()
        let (ports, gotPort) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                await seen.add(Seen(path: request.head.path ?? "", headers: request.headers))
                let (status, text) = answer(request.head.path ?? "")
                return Response(
                    status: status, headers: [.contentType: "application/json"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { gotPort.yield($0.localAddress?.port ?? 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let port = await iterator.next() ?? 0
            try await ControlAPIClient.with(
                configuration("http://127.0.0.1:\(port)/client/v4/"), logger: Logger(label: "test"), body)
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        return await seen.all
    }
}

private actor SeenRequests {
    private(set) var all: [ControlAPIClientTests.Seen] = []
    func add(_ request: ControlAPIClientTests.Seen) { all.append(request) }
}
