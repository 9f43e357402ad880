import EdgeStore
import FoundationEssentials
import TunnelConfig
import TunnelWire

/// Who may register, and who is: the pure part of `TunnelRegistry`. Past-tense events in, actions out.
struct RegistrationTable: Sendable {
    /// One registered connection.
    struct Session: Sendable, Equatable {
        let id: UUID
        let tunnelID: UUID
        let connectorID: UUID
        let index: UInt8
    }

    enum RegistrationAction: Sendable, Equatable {
        /// Welcome. The connection that was in its place, if any, is to be closed.
        case accept(Session, replacing: Session?)
        case refuse(ConnectionError)
        /// The tunnel or its secret is not known yet: read the store, then ask again.
        case readStore
    }

    /// What is routed now.
    private(set) var routing = RoutingSnapshot(version: 0, tunnels: [:], routes: [:], cleanups: [])
    private(set) var sessions: [UUID: Session] = [:]

    /// A connector asked to serve a tunnel.
    ///
    /// - Parameters:
    ///   - id: for the new connection.
    ///   - storeIsRead: whether the store was read since the connector asked.
    mutating func registrationRequested(
        _ request: RegisterConnection, id: UUID, storeIsRead: Bool
    ) -> RegistrationAction {
        let tunnel = routing.tunnels[request.tunnelID]
        // An unknown tunnel takes as long as a wrong secret.
        let expected = tunnel?.secret ?? Self.noSecret
        let isRight = expected == TunnelConfig.TunnelSecret(request.auth.tunnelSecret.bytes)
        guard let tunnel else { return storeIsRead ? .refuse(Self.unknownTunnel) : .readStore }
        guard isRight, tunnel.accountTag == request.auth.accountTag else {
            // It may have another secret since.
            return storeIsRead ? .refuse(Self.wrongSecret) : .readStore
        }
        let session = Session(
            id: id, tunnelID: tunnel.id, connectorID: request.options.client.clientID, index: request.connectionIndex)
        let replaced = sessions.values.first {
            $0.tunnelID == session.tunnelID && $0.connectorID == session.connectorID && $0.index == session.index
        }
        if let replaced { sessions[replaced.id] = nil }
        sessions[id] = session
        return .accept(session, replacing: replaced)
    }

    /// The connection ended, or is about to.
    ///
    /// - Returns: what it was; nil when it was replaced or closed before.
    mutating func ended(_ id: UUID) -> Session? {
        sessions.removeValue(forKey: id)
    }

    /// The store was read.
    ///
    /// - Returns: the connections to close: those of tunnels that are no more, and those an administrator gave up.
    mutating func routingRead(_ routing: RoutingSnapshot) -> [Session] {
        let previous = self.routing.version
        // Reads may overtake each other.
        guard routing.version >= previous else { return [] }
        self.routing = routing
        let requests = routing.cleanups.filter { $0.version > previous }
        let unwanted = sessions.values.filter { session in
            routing.tunnels[session.tunnelID] == nil
                || requests.contains {
                    $0.tunnelID == session.tunnelID && ($0.connectorID == nil || $0.connectorID == session.connectorID)
                }
        }
        for session in unwanted { sessions[session.id] = nil }
        return unwanted
    }

    // `Unauthorized` keeps an official connector trying (tunnel-protocol section 7.1).
    static let unknownTunnel = ConnectionError(
        cause: "Unauthorized: the edge knows no such tunnel; create it there (`cloudflared tunnel create NAME`, or "
            + "`cloudflared-edge tunnel import` for one from elsewhere), or use another token",
        retryAfter: .seconds(1), shouldRetry: false)
    static let wrongSecret = ConnectionError(
        cause: "Unauthorized: the tunnel's secret or account is wrong; get the token again "
            + "(`cloudflared tunnel token NAME`) or use the credentials file made for this tunnel",
        retryAfter: .seconds(1), shouldRetry: false)

    private static let noSecret = TunnelConfig.TunnelSecret([UInt8](repeating: 0, count: 32))
}
