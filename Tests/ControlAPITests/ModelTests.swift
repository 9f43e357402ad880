import ControlAPI
import Foundation
import Testing
import TunnelConfig

@Suite struct ModelTests {
    private func decode<Value: Decodable>(_ type: Value.Type, _ json: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(json.utf8))
    }

    @Test func `a tunnel as the real API sends it is understood`() throws {
        let tunnel = try decode(
            APITunnel.self,
            """
            {"id":"f174e90a-fafe-4643-bbbc-4a0ed4fc8415","name":"blog","created_at":"2021-01-25T18:22:34.317854Z",
             "deleted_at":null,"account_tag":"699d","status":"healthy","tun_type":"cfd_tunnel","remote_config":true,
             "metadata":{},"conns_active_at":"2021-01-25T18:22:34.317854Z",
             "connections":[{"colo_name":"DFW","id":"1bedc50d-42b3-473c-b108-ff3d10c0d925","is_pending_reconnect":true,
              "origin_ip":"198.51.100.1","opened_at":"2021-01-25T18:22:34.317854Z","client_id":"x"}]}
            """)
        #expect(tunnel.name == "blog")
        #expect(tunnel.deletedAt == nil)
        let created = try #require(tunnel.createdAt)
        #expect(abs(created.timeIntervalSince1970 - 1_611_598_954.317854) < 1e-6)
        #expect(tunnel.connections.map(\.location) == ["DFW"])
        #expect(tunnel.connections.first?.isPendingReconnect == true)
    }

    @Test func `absent and odd members do not hide the rest`() throws {
        let tunnel = try decode(
            APITunnel.self,
            #"{"id":"F174E90A-FAFE-4643-BBBC-4A0ED4FC8415","created_at":7,"deleted_at":"0001-01-01T00:00:00Z","connections":null}"#
        )
        #expect(tunnel.id.lowercased == "f174e90a-fafe-4643-bbbc-4a0ed4fc8415")
        #expect(tunnel.createdAt == nil && tunnel.deletedAt == nil && tunnel.connections.isEmpty)
        #expect(throws: (any Error).self) { _ = try decode(APITunnel.self, #"{"name":"x"}"#) }
    }

    @Test func `what we send, the official client reads`() throws {
        let id = try #require(UUID(uuidString: "F174E90A-FAFE-4643-BBBC-4A0ED4FC8415"))
        let tunnel = APITunnel(
            id: id, name: "a", createdAt: Date(timeIntervalSince1970: 0.5),
            connections: [APIConnection(id: id, location: "here", originIP: "192.0.2.1", openedAt: nil)])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        #expect(
            String(decoding: try encoder.encode(tunnel), as: UTF8.self)
                == #"{"connections":[{"colo_name":"here","id":"f174e90a-fafe-4643-bbbc-4a0ed4fc8415","#
                + #""is_pending_reconnect":false,"opened_at":"0001-01-01T00:00:00Z","origin_ip":"192.0.2.1"}],"#
                + #""created_at":"1970-01-01T00:00:00.500Z","deleted_at":null,"#
                + #""id":"f174e90a-fafe-4643-bbbc-4a0ed4fc8415","name":"a"}"#)
    }

    @Test func `an envelope keeps the reasons whatever the result is`() throws {
        let envelope = try decode(
            APIEnvelope<APITunnel>.self,
            #"{"success":false,"errors":[{"code":"1003","message":"no"},{"code":7,"message":"way"}],"result":[1]}"#)
        #expect(envelope.errors == [APIProblem(code: 1003, message: "no"), APIProblem(code: 7, message: "way")])
        #expect(envelope.result == nil)
        #expect(throws: (any Error).self) {
            _ = try decode(APIEnvelope<APITunnel>.self, #"{"success":true,"errors":[],"result":[1]}"#)
        }
    }

    @Test(arguments: [
        ("2026-01-02T03:04:05Z", 1_767_323_045.0), ("2026-01-02T03:04:05.5Z", 1_767_323_045.5),
        ("2026-01-02T03:04:05.123456789Z", 1_767_323_045.123456789), ("2026-01-02T05:04:05+02:00", 1_767_323_045.0),
        ("2026-01-02T05:04:05.25+02:00", 1_767_323_045.25),
    ])
    func `times with any number of digits are read`(_ text: String, _ seconds: Double) throws {
        let time = try #require(Timestamp.decode(text))
        #expect(abs(time.timeIntervalSince1970 - seconds) < 1e-6)
    }

    @Test(arguments: [
        "", "now", "0001-01-01T00:00:00Z", "2026-01-02", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.x",
    ])
    func `what is no time, or Go's zero time, is none`(_ text: String) {
        #expect(Timestamp.decode(text) == nil)
    }
}
