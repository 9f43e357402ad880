package import Foundation
package import TunnelConfig

/// A tunnel that is there now.
package struct EnsuredTunnel: Sendable {
    package let credentials: TunnelCredentials
    package let name: String
    /// Whether this call made it.
    package let created: Bool
}

/// What happened to a hostname's route.
package enum EnsuredRoute: String, Sendable, Equatable {
    case new, updated, unchanged
}

/// For the classic form `tunnel --hostname H`: say what must be there, and it is, however often it is said.
extension ControlAPIClient {
    /// Finds the live tunnel of this name, or makes it.
    package func ensureTunnel(name: String) async throws -> EnsuredTunnel {
        if let existing = try await liveTunnel(named: name) { return existing }
        let secret = TunnelSecret.generate()
        do {
            let tunnel = try await createTunnel(name: name, secret: secret)
            let credentials = TunnelCredentials(accountTag: accountID, tunnelSecret: secret, tunnelID: tunnel.id)
            return EnsuredTunnel(credentials: credentials, name: name, created: true)
        } catch let error as ControlAPIError where error.code == .conflict {
            // Another process of the same host may have been faster.
            guard let existing = try await liveTunnel(named: name) else { throw error }
            return existing
        }
    }

    /// Leads the hostname to the tunnel. A route to another tunnel stays as it is, and the error names that tunnel.
    package func ensureRoute(hostname: String, tunnel id: UUID, overwrite: Bool = false) async throws -> EnsuredRoute {
        let route = try await routeDNS(hostname: hostname, toTunnel: id, overwrite: overwrite)
        return EnsuredRoute(rawValue: route.change) ?? .updated
    }

    /// A tunnel named like its hostname, and the route to it. When the route fails, a tunnel that was made for it goes
    /// again, so that a failed call leaves nothing behind.
    package func ensureTunnelAndRoute(
        hostname: String, name: String? = nil, overwrite: Bool = false
    ) async throws -> (tunnel: EnsuredTunnel, route: EnsuredRoute) {
        let tunnel = try await ensureTunnel(name: name ?? hostname)
        do {
            let route = try await ensureRoute(
                hostname: hostname, tunnel: tunnel.credentials.tunnelID, overwrite: overwrite)
            return (tunnel, route)
        } catch {
            guard tunnel.created else { throw error }
            do {
                try await deleteTunnel(tunnel.credentials.tunnelID, cascade: true)
            } catch let second {
                throw ControlAPIError(
                    (error as? ControlAPIError)?.code ?? .refused,
                    "\(error). The tunnel \(tunnel.credentials.tunnelID.lowercased) that was made for it could not be taken "
                        + "back (\(second))",
                    remedy: "delete it with `cloudflared tunnel delete \(tunnel.name)`", cause: error)
            }
            throw error
        }
    }

    private func liveTunnel(named name: String) async throws -> EnsuredTunnel? {
        var filter = APITunnelFilter()
        filter.name = name
        // A server that does not know the filter must not make us run another tunnel.
        let found = try await tunnels(filter).first { $0.name == name && $0.deletedAt == nil }
        guard let found else { return nil }
        let credentials = try await credentials(ofTunnel: found.id)
        return EnsuredTunnel(credentials: credentials, name: name, created: false)
    }
}
