import Foundation
import Hummingbird
import NIOCore
import Synchronization
import Testing

@testable import CloudflaredCommands

/// The commands for private networks as a person runs them, against an account API that answers what we say.
@Suite(.timeLimit(.minutes(1))) struct NetworkCommandTests {
    private static let tunnel = "22222222-2222-4222-8222-222222222222"
    private static let network = "33333333-3333-4333-8333-333333333333"
    private static let route = """
        {"id":"11111111-1111-4111-8111-111111111111","network":"10.0.0.0/8","tunnel_id":"\(tunnel)","tunnel_name":"home",\
        "virtual_network_id":"\(network)","comment":"lab","created_at":"2026-01-02T03:04:05Z","deleted_at":null}
        """
    private static let virtualNetwork = """
        {"id":"\(network)","name":"lab","comment":"c","is_default_network":true,"created_at":"2026-01-02T03:04:05Z"}
        """

    /// - Returns: of each line what it printed, and what the server was asked.
    private func run(_ lines: [String]) async throws -> (runs: [Run], asked: [String]) {
        let home = try Home()
        let login = Data(#"{"zoneID":"z1","accountID":"a1","apiToken":"t1"}"#.utf8).base64EncodedString()
        let certificate = try home.write(
            "-----BEGIN ARGO TUNNEL TOKEN-----\n\(login)\n-----END ARGO TUNNEL TOKEN-----\n", to: "cert.pem")
        let asked = Mutex<[String]>([])
        let (ports, gotPort) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                let line = "\(request.method) \(request.uri.path)"
                asked.withLock { $0.append(line) }
                return Response(
                    status: .ok,
                    body: ResponseBody(
                        byteBuffer: ByteBuffer(
                            string: #"{"success":true,"errors":[],"result":\#(Self.result(line))}"#)))
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { gotPort.yield($0.localAddress?.port ?? 0) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let port = await iterator.next() ?? 0
            var runs: [Run] = []
            for line in lines {
                runs.append(
                    try await home.run(
                        line,
                        environment: [
                            "TUNNEL_ORIGIN_CERT": certificate,
                            "TUNNEL_API_URL": "http://127.0.0.1:\(port)/client/v4",
                        ]))
            }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
            return (runs, asked.withLock { $0 })
        }
    }

    private static func result(_ line: String) -> String {
        let isList = line.hasPrefix("GET") && !line.contains("/ip/")
        if line.contains("/management/") { return #""jwt""# }
        if line.contains("/zones/") { return #"{"load_balancer":"new","pool":"updated"}"# }
        let one = line.contains("virtual_networks") ? virtualNetwork : route
        return isList ? "[\(one)]" : one
    }

    @Test func `private networks are managed by commands`() async throws {
        let tunnel = Self.tunnel
        let (runs, asked) = try await run([
            "tunnel route ip add 10.1.2.3/8 \(tunnel) lab --vnet lab", "tunnel route ip show",
            "tunnel route ip delete 10.0.0.0/8", "tunnel route ip get 10.1.2.3", "tunnel vnet add lab c -d",
            "tunnel vnet list", "tunnel vnet update lab -n x", "tunnel vnet delete lab -f",
            "tunnel route lb \(tunnel) app.test pool1", "management token --resource admin \(tunnel)",
            "tail token \(tunnel)",
        ])
        #expect(runs.map(\.code) == Array(repeating: 0, count: 11), "\(runs.map(\.errors))")
        #expect(runs[0].output == "Successfully added route for 10.0.0.0/8 over tunnel \(tunnel)\n")
        #expect(runs[1].output.hasPrefix("ID ") && runs[1].output == runs[3].output)
        #expect(runs[2].output == "Successfully deleted route with ID 11111111-1111-4111-8111-111111111111\n")
        #expect(runs[5].output.contains("33333333-3333-4333-8333-333333333333 lab  true       c "))
        #expect(runs[8].errors.contains("Load balancer app.test: new; pool pool1: updated"))
        #expect(runs[9].output == "{\"token\":\"jwt\"}\n" && runs[10].output == runs[9].output)
        #expect(asked.contains("DELETE /client/v4/accounts/a1/teamnet/routes/11111111-1111-4111-8111-111111111111"))
        #expect(asked.last?.hasSuffix("/cfd_tunnel/\(tunnel)/management/logs") == true)
    }
}
