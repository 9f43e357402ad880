import ControlAPI
import EdgeStore
import Foundation
import Hummingbird
import Logging
import TunnelConfig

/// `/zones/Z/tunnels/ID/routes`: which hostname leads to which tunnel.
struct RouteCalls: Sendable {
    let store: any ClusterStore
    let now: @Sendable () -> Date

    func add(to calls: RouterGroup<ControlContext>) {
        calls.put("zones/:zone/tunnels/:tunnel/routes", use: set)
    }

    @Sendable private func set(_ request: Request, _ context: ControlContext) async throws -> Response {
        let account = try context.authenticated()
        guard context.parameters.get("zone") == account.zoneID else {
            throw Refusal.notFound("this edge has no such zone; use the cert.pem of this edge")
        }
        let tunnelID = try context.tunnelID()
        let body = try await request.json(APIRouteRequest.self)
        guard body.type != "lb" else {
            throw Refusal.invalid(
                "this edge has no load balancer pools; it balances among the connectors of a tunnel, so start several "
                    + "and use `cloudflared tunnel route dns`")
        }
        guard body.type == "dns" else { throw Refusal.invalid("this edge has routes of type dns only") }
        guard let text = body.hostname, !text.isEmpty else { throw Refusal.invalid("user_hostname is missing") }
        let hostname = try account.hostname(text)
        let change = try await store.setRoute(
            hostname, to: tunnelID, overwrite: body.overwriteExisting, at: now())
        context.logger.info(
            "Hostname routed",
            metadata: [
                "hostname": "\(hostname)", "tunnelID": "\(tunnelID.lowercased)", "change": "\(change.rawValue)",
            ])
        return try Answer.success(APIRoute(change: change.rawValue, hostname: hostname))
    }
}
