import Foundation
import Testing

/// What an RDP server fixture says when it is ready.
struct Desktop: Decodable, Sendable {
    let port: Int
    let user: String
    let password: String
    let token: String
    let security: String
    let fingerprint: String

    enum Engine: String, CaseIterable, Sendable {
        /// FreeRDP's shadow server: NLA.
        case shadow
        /// xrdp with the Xorg back end: TLS.
        case xrdp
    }

    static func start(_ engine: Engine, on stage: Stage) async throws -> Desktop {
        try await stage.fixture(
            "rdp-server", "--engine", engine.rawValue, as: Desktop.self, asRoot: engine == .xrdp
        ).facts
    }

    /// Logs in at a local port, checks the pixels of this very desktop, types a line and checks the repaint. The
    /// server's own certificate must arrive, so nobody on the way can have ended TLS.
    func session(at port: Int, on stage: Stage, password: String? = nil) async throws -> Output {
        try await stage.call(
            "rdp-client", "127.0.0.1", "\(port)", "--user", user, "--expect", token, "--security", security,
            "--fingerprint", fingerprint, "--type", "typed\(token)",
            environment: ["RDP_PASSWORD": password ?? self.password])
    }
}

extension SystemTests {
    @Suite(.timeLimit(.minutes(5))) struct RemoteDesktopTests {
        @Test(arguments: Desktop.Engine.allCases)
        func `the fixtures hold a session without a tunnel`(engine: Desktop.Engine) async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(engine, on: stage)
                let session = try await desktop.session(at: desktop.port, on: stage)
                #expect(session.status == 0, "\(session.lastWords)")
            }
        }

        @Test(arguments: Desktop.Engine.allCases)
        func `a desktop is shown and takes typing through the chain`(engine: Desktop.Engine) async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(engine, on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("rdp")
                let tunnel = try await chain.tunnel("desk", hosts: [host])
                try await chain.connector(tunnel, ingress: [host: "rdp://127.0.0.1:\(desktop.port)"])
                let client = try await chain.forward("rdp", to: host)
                let session = try await desktop.session(at: client.port, on: stage)
                #expect(session.status == 0, "\(session.lastWords)\n\(client.program.output.lastWords)")
            }
        }

        @Test(arguments: Desktop.Engine.allCases)
        func `a bastion reaches the desktop that the client names`(engine: Desktop.Engine) async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(engine, on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("bastion")
                try await chain.classicConnector(
                    "--hostname", host, "--bastion", "--bastion-allow", "127.0.0.1:\(desktop.port)")
                try await chain.admin(
                    "access", "app", "add", host, "--open", "--type", "bastion", "--destination",
                    "127.0.0.1:\(desktop.port)")
                let client = try await chain.forward(
                    "rdp", to: host, "--destination", "rdp://127.0.0.1:\(desktop.port)")
                let session = try await desktop.session(at: client.port, on: stage)
                #expect(session.status == 0, "\(session.lastWords)\n\(client.program.output.lastWords)")
            }
        }

        @Test func `a wrong password is refused by the desktop itself`() async throws {
            try await Stage.run { stage in
                let desktop = try await Desktop.start(.shadow, on: stage)
                let chain = try await Chain.start(on: stage)
                let host = Chain.host("rdp")
                let tunnel = try await chain.tunnel("desk", hosts: [host])
                try await chain.connector(tunnel, ingress: [host: "rdp://127.0.0.1:\(desktop.port)"])
                let client = try await chain.forward("rdp", to: host)
                let session = try await desktop.session(at: client.port, on: stage, password: "wrong")
                #expect(session.status == 3)
            }
        }

        @Test func `a bastion refuses a destination that is not on its list`() async throws {
            try await Stage.run { stage in
                let listed = try freePort()
                let chain = try await Chain.start(on: stage)
                let peer = try await TCPPeer.start(on: stage)
                let host = Chain.host("bastion")
                let connector = try await chain.classicConnector(
                    "--hostname", host, "--bastion", "--bastion-allow", "127.0.0.1:\(listed)")
                func lead(to port: Int) async throws {
                    try await chain.admin(
                        "access", "app", "add", host, "--open", "--type", "bastion", "--destination",
                        "127.0.0.1:\(port)")
                }
                try await lead(to: listed)
                var client = try await chain.forward("tcp", to: host, "--destination", "127.0.0.1:\(peer.port)")
                #expect(try await peer.check("ask", at: client.port, on: stage).status != 0)
                // What the edge allows, the connector still judges.
                try await lead(to: peer.port)
                client = try await chain.forward("tcp", to: host, "--destination", "127.0.0.1:\(peer.port)")
                #expect(try await peer.check("ask", at: client.port, on: stage).status != 0)
                let line = try await connector.says("127.0.0.1:\(peer.port)")
                #expect(line.contains("--bastion-allow"), "\(line)")
            }
        }
    }
}
