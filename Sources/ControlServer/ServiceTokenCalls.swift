import AccessPolicy
import ControlAPI
import EdgeStore
import Foundation
import Hummingbird
import TunnelConfig

/// `/accounts/A/access/service_tokens`: the secret is in the answer to the creation, and nowhere else.
struct ServiceTokenCalls: Sendable {
    let store: any ClusterStore
    let record: AccessRecord
    let now: @Sendable () -> Date

    func add(to calls: RouterGroup<ControlContext>) {
        let tokens = calls.group("accounts/:account/access/service_tokens")
        tokens.get("", use: list)
        tokens.post("", use: create)
        tokens.get(":id", use: get)
        tokens.delete(":id", use: remove)
    }

    private struct Creation: Decodable {
        var name: String
        /// Such as `8760h`, a year, which it is without.
        var duration: String?
    }

    private struct Shown: Encodable, Sendable {
        let id, name, clientID: String
        let clientSecret: String?
        let createdAt: String
        let expiresAt: String?

        private enum CodingKeys: String, CodingKey {
            case id, name
            case clientID = "client_id"
            case clientSecret = "client_secret"
            case createdAt = "created_at"
            case expiresAt = "expires_at"
        }

        init(_ token: ServiceTokenRecord, secret: ServiceTokenSecret? = nil) {
            id = token.recordID
            name = token.name
            clientID = token.id.rawValue
            clientSecret = secret?.text
            createdAt = Timestamp.encode(token.createdAt)
            expiresAt = token.expiresAt.map(Timestamp.encode)
        }
    }

    @Sendable private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        try Answer.list(try await tokens(context), request) { Shown($0) }
    }

    @Sendable private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let creation = try await request.json(Creation.self)
        guard (1...255).contains(creation.name.utf8.count) else {
            throw Refusal.invalid("name must have 1 to 255 characters")
        }
        let time = now()
        let secret = ServiceTokenSecret.generate()
        let token = ServiceTokenRecord(
            id: .generate(), recordID: UUID().lowercased, secretHash: secret.hash, name: creation.name,
            createdAt: time, expiresAt: try Self.expiry(creation.duration ?? "8760h", from: time))
        try await store.addServiceToken(token)
        record.record("service token \(token.id) made", context)
        return try Answer.success(Shown(token, secret: secret))
    }

    @Sendable private func get(_ request: Request, _ context: ControlContext) async throws -> Response {
        try Answer.success(Shown(try await token(context)))
    }

    @Sendable private func remove(_ request: Request, _ context: ControlContext) async throws -> Response {
        let token = try await token(context)
        try await store.removeServiceToken(token.id)
        record.record("service token \(token.id) removed", as: .revoke, context)
        return try Answer.success(Shown(token))
    }

    private func tokens(_ context: ControlContext) async throws -> [ServiceTokenRecord] {
        _ = try context.account(named: "account")
        return try await store.access().configuration.tokens.values.sorted {
            ($0.createdAt, $0.recordID) < ($1.createdAt, $1.recordID)
        }
    }

    private func token(_ context: ControlContext) async throws -> ServiceTokenRecord {
        let id = context.parameters.get("id") ?? ""
        guard let token = try await tokens(context).first(where: { $0.recordID == id }) else {
            throw Refusal.notFound("there is no service token of that id")
        }
        return token
    }

    /// Nil: never.
    private static func expiry(_ duration: String, from time: Date) throws -> Date? {
        if duration == "forever" { return nil }
        guard let value = try? GoDuration.parse(duration), value > .zero, value < .seconds(100 * 366 * 86_400) else {
            throw Refusal.invalid("duration must be like 8760h, or forever")
        }
        return time.addingTimeInterval(Double(value.components.seconds))
    }
}
