import Foundation
import Testing

extension SystemTests {
    /// Certificates of an edge that are renewed while it runs.
    @Suite(.timeLimit(.minutes(5))) struct EdgeReloadTests {
        /// An edge with a connector, and another edge's certificates for the same names.
        private struct Scene {
            static let host = Chain.host("www")

            let chain: Chain
            let connector: Program
            let other: String

            static func set(on stage: Stage) async throws -> Scene {
                let chain = try await Chain.start(on: stage)
                let other = stage.scratch.appendingPathComponent("other").path
                let made = try await stage.finish([
                    Stage.executable("cloudflared-edge"), "init", "--data-dir", other, "--zone", Chain.zone,
                ])
                try #require(made.status == 0, "\(made.lastWords)")
                let tunnel = try await chain.tunnel("web", hosts: [host])
                let connector = try await chain.connector(tunnel, ingress: [host: "http_status:200"])
                return Scene(chain: chain, connector: connector, other: other)
            }

            /// Replaces files of the edge by the other one's, as a program that renews certificates does.
            func renew(_ files: String...) throws {
                for file in files {
                    let target = "\(chain.data)/\(file)"
                    try Data(contentsOf: URL(fileURLWithPath: "\(other)/\(file)"))
                        .write(to: URL(fileURLWithPath: target + ".new"))
                    try #require(rename(target + ".new", target) == 0)
                }
            }

            /// curl's exit status: 0, or 60 when it does not trust the certificate.
            func visit(trusting data: String) async throws -> Int32? {
                try await chain.stage.finish(
                    ["curl", "--silent", "--fail", "--max-time", "60", "--cacert", data + "/ca.pem", "--noproxy", "*"]
                        + chain.visiting(Self.host) + ["https://\(Self.host):\(chain.httpsPort)/"]
                ).status
            }
        }

        @Test func `renewed certificates are shown to who connects anew, and links live on`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage)
                #expect(try await scene.visit(trusting: scene.chain.data) == 0)
                #expect(try await scene.visit(trusting: scene.other) == 60)
                try scene.renew("visitor.pem", "visitor-key.pem")
                try await scene.chain.edge.says("Certificates reloaded")
                #expect(try await scene.visit(trusting: scene.other) == 0)
                #expect(try await scene.visit(trusting: scene.chain.data) == 60)
                #expect(scene.connector.registrations == 2)
                #expect(!scene.connector.output.lines.contains { $0.text.contains("Connection terminated") })
            }
        }

        @Test func `files that cannot be used are named, and the old ones stay in force`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage)
                try scene.renew("visitor.pem")
                let line = try await scene.chain.edge.says("the old certificates stay in force")
                #expect(line.contains("visitor-key.pem: the key does not belong to"), "\(line)")
                #expect(try await scene.visit(trusting: scene.chain.data) == 0)
                try scene.renew("visitor-key.pem")
                try await scene.chain.edge.says("Certificates reloaded")
                #expect(try await scene.visit(trusting: scene.other) == 0)
            }
        }

        @Test func `a certificate in another place counts, another zone does not`() async throws {
            try await Stage.run { stage in
                let scene = try await Scene.set(on: stage)
                let path = scene.chain.data + "/edge.yml"
                let text = try String(contentsOfFile: path, encoding: .utf8)
                let other = text.replacingOccurrences(of: "\"visitor.pem\"", with: "\"\(scene.other)/visitor.pem\"")
                    .replacingOccurrences(of: "\"visitor-key.pem\"", with: "\"\(scene.other)/visitor-key.pem\"")
                try other.write(toFile: path, atomically: true, encoding: .utf8)
                try await scene.chain.edge.says("Certificates reloaded")
                #expect(try await scene.visit(trusting: scene.other) == 0)
                try text.replacingOccurrences(of: "zone: \"\(Chain.zone)\"", with: "zone: \"other.test\"")
                    .write(toFile: path, atomically: true, encoding: .utf8)
                try await scene.chain.edge.says("zone and team of a data directory cannot be changed")
                #expect(try await scene.visit(trusting: scene.other) == 0)
            }
        }
    }
}
