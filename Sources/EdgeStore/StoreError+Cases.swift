import AccessPolicy
import Foundation
import TunnelConfig

/// The sentences that every store says in the same words.
extension StoreError {
    static func noTunnel(_ id: UUID) -> StoreError {
        StoreError(.notFound, "there is no tunnel \(id.lowercased); see `cloudflared tunnel list`")
    }

    static func nameTaken(by tunnel: TunnelRecord) -> StoreError {
        StoreError(
            .tunnelTaken,
            "a tunnel named \"\(tunnel.name)\" exists already (\(tunnel.id.lowercased)); "
                + "use it, delete it, or choose another name")
    }

    static func idTaken(by tunnel: TunnelRecord) -> StoreError {
        StoreError(
            .tunnelTaken,
            "the tunnel \(tunnel.id.lowercased) is known already"
                + (tunnel.deletedAt == nil ? " as \"\(tunnel.name)\"" : " and was deleted; make a new one"))
    }

    static func hasConnections(_ tunnel: TunnelRecord, count: Int) -> StoreError {
        StoreError(
            .inUse,
            "the tunnel \"\(tunnel.name)\" has \(count) live connection\(count == 1 ? "" : "s"); "
                + "stop its connectors first, or delete it with --force")
    }

    static func hostnameTaken(_ hostname: String, by tunnel: TunnelRecord?, id: UUID) -> StoreError {
        let owner = tunnel.map { "\"\($0.name)\" (\($0.id.lowercased))" } ?? id.lowercased
        return StoreError(
            .hostnameTaken,
            "\(hostname) leads to another tunnel already, \(owner); remove that route, or overwrite it")
    }

    static func noRoute(_ hostname: String) -> StoreError {
        StoreError(.notFound, "there is no route for \(hostname); see `cloudflared-edge route list`")
    }

    static func networkTaken(
        _ network: IPPrefix, in space: VirtualNetwork, by tunnel: TunnelRecord?, id: UUID
    ) -> StoreError {
        let owner = tunnel.map { "\"\($0.name)\" (\($0.id.lowercased))" } ?? id.lowercased
        return StoreError(
            .networkTaken,
            "\(network) leads to the tunnel \(owner) already in the virtual network \"\(space.name)\"; "
                + "delete that route first")
    }

    static func noNetworkRoute(_ name: String) -> StoreError {
        StoreError(.notFound, "there is no private route \(name); see `cloudflared tunnel route ip show`")
    }

    static func noVirtualNetwork(_ id: UUID) -> StoreError {
        StoreError(.notFound, "there is no virtual network \(id.lowercased); see `cloudflared tunnel vnet list`")
    }

    static func virtualNetworkTaken(by network: VirtualNetwork) -> StoreError {
        StoreError(
            .networkTaken,
            "a virtual network named \"\(network.name)\" exists already (\(network.id.lowercased)); "
                + "use it, delete it, or choose another name")
    }

    static func defaultNeeded(_ network: VirtualNetwork) -> StoreError {
        StoreError(
            .inUse,
            "\"\(network.name)\" is the default virtual network, and one must be; make another the default first")
    }

    static func hasRoutes(_ network: VirtualNetwork, count: Int) -> StoreError {
        StoreError(
            .inUse,
            "the virtual network \"\(network.name)\" has \(count) route\(count == 1 ? "" : "s"); "
                + "delete them first, or delete it with --force")
    }

    static func noDocument(_ kind: AccessDocument.Kind, _ id: String) -> StoreError {
        let (thing, command) =
            switch kind {
            case .application: ("application", "app list")
            case .group: ("group", "group list")
            case .ipList: ("IP list", "export")
            case .identityProvider: ("identity provider", "idp list")
            case .settings: ("document of settings", "export")
            }
        return StoreError(.notFound, "there is no \(thing) \(quoted(id)); see `cloudflared-edge access \(command)`")
    }

    static let sessionTaken = StoreError(.inUse, "a session of that id exists already; log in again")

    static let changedMeanwhile = StoreError(
        .conflict, "the edge's data was changed by somebody else meanwhile; nothing was done, try again")

    static func noSigningKey(_ id: String) -> StoreError {
        StoreError(.notFound, "there is no signing key \(quoted(id)); see `cloudflared-edge access key list`")
    }

    static func signingKeyTaken(_ id: String) -> StoreError {
        StoreError(.inUse, "the signing key \(id) exists already")
    }

    static func noServiceToken(_ clientID: String) -> StoreError {
        StoreError(
            .notFound, "there is no service token \(clientID); make one with `cloudflared-edge access token create`")
    }

    static func serviceTokenTaken(_ clientID: String) -> StoreError {
        StoreError(.inUse, "the service token \(clientID) exists already; remove it first")
    }

    static func serviceTokenUsed(_ clientID: String, by user: String) -> StoreError {
        StoreError(.inUse, "\(user) still names the service token \(clientID); change that first")
    }
}
