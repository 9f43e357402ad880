package import AccessPolicy
package import Foundation
package import TunnelConfig

/// The edge's memory: account, tunnels, routes, Access, and which connections live. One for all edges of a cluster.
///
/// Several processes may share one store: the edge and administration commands. What another process changed shows in
/// `version()`. All calls throw `StoreError`.
///
/// How a change reaches live links: the edge's registry watches `version()`. When it has moved, the registry loads
/// `routing()`, closes the links of tunnels that are no longer in it, and closes those named by `cleanups` whose version
/// is greater than that of its previous snapshot. Nobody acknowledges; a link that is closed once too often comes back.
package protocol ClusterStore: Sendable {
    func account() async throws -> Account
    /// Grows whenever anything but the live connections changes, whoever changes it.
    func version() async throws -> Int
    /// Everything the edge needs to accept connectors and route visitors, in one consistent read.
    func routing() async throws -> RoutingSnapshot
    /// Everything the edge needs to decide who may pass, in one consistent read. Throws when any of it cannot be read.
    func access() async throws -> AccessSnapshot

    /// Throws `.tunnelTaken` when a live tunnel has the name, or any tunnel the id.
    func createTunnel(_ tunnel: TunnelRecord) async throws
    /// By id, deleted ones too.
    func tunnel(_ id: UUID) async throws -> TunnelRecord?
    /// One page, oldest first, and how many there are in all.
    func tunnels(_ filter: TunnelFilter, offset: Int, limit: Int) async throws -> (page: [TunnelRecord], total: Int)
    /// Gives a tunnel another name or secret; nil leaves it. Throws `.tunnelTaken` when another live tunnel has the name.
    /// With another secret, connections are cleaned up: they were let in with the old one.
    func changeTunnel(_ id: UUID, name: String?, secret: TunnelSecret?) async throws -> TunnelRecord
    /// Marks a tunnel as deleted and removes its routes, connection records and configuration. Throws `.inUse` when it
    /// has connections and `cascade` is false.
    func deleteTunnel(_ id: UUID, cascade: Bool, at time: Date) async throws

    /// Leads a hostname (as `Account.hostname` gives it) to a live tunnel. Throws `.hostnameTaken` when it leads to
    /// another one and `overwrite` is false.
    func setRoute(_ hostname: String, to tunnelID: UUID, overwrite: Bool, at time: Date) async throws -> RouteChange
    /// By hostname.
    func routes() async throws -> [Route]
    func removeRoute(_ hostname: String) async throws

    func privateNetworks() async throws -> PrivateNetworks
    /// Makes a change of the private networks whole, or not at all when `change` throws.
    func changePrivateNetworks<Value: Sendable>(
        _ change: @escaping @Sendable (inout PrivateNetworks) throws -> Value
    ) async throws -> Value

    func configuration(ofTunnel id: UUID) async throws -> StoredConfiguration?
    /// Counts as a change only when the text differs.
    func setConfiguration(_ json: String, ofTunnel id: UUID, at time: Date) async throws

    func connectionOpened(_ connection: ConnectionRecord) async throws
    /// Removing one that is not there is no error.
    func connectionClosed(_ id: UUID) async throws
    /// Forgets the connections of an edge that starts or has ended; nil: of all edges.
    func forgetConnections(ofEdge edgeID: UUID?) async throws
    /// By tunnel, opening time and index.
    func connections(ofTunnels ids: [UUID]) async throws -> [ConnectionRecord]
    /// Removes connection records and asks the edges to close the links behind them.
    func cleanUpConnections(ofTunnel id: UUID, connector: UUID?) async throws

    /// The Access configuration, in the order in which it grew, and the version it was read at.
    func accessDocuments() async throws -> (documents: [AccessDocument], version: Int)
    /// Makes all changes or none. Throws `.invalid` when what comes of them is no good configuration, `.conflict` when the
    /// store's version is not `version` any more (nil: whatever it is). Changes nothing when all is there already.
    func changeAccess(_ changes: [AccessDocument.Change], expecting version: Int?) async throws
    /// Throws `.inUse` when the client id or record id exists.
    func addServiceToken(_ token: ServiceTokenRecord) async throws
    /// Throws `.inUse` while a policy names it.
    func removeServiceToken(_ id: ServiceTokenID) async throws

    /// The id with us of somebody who logged in at a provider, the same each time: a UUID, made at the first.
    func userID(provider: String, subject: String) async throws -> String
    /// Keeps a session; those that ended before it began are forgotten.
    func openSession(_ session: AccessSession) async throws
    /// Ends sessions, and forgets those that had ended by themselves. Gives the number of live ones that it ended.
    func endSessions(_ selection: SessionSelection, at time: Date) async throws -> Int
    /// Makes an application's tokens worthless that were issued before `time`, rounded up to a whole second as tokens have
    /// it. Never goes back.
    func revokeTokens(ofAudience audience: String, before time: Date) async throws

    /// Oldest first.
    func signingKeys() async throws -> [SigningKey]
    /// Throws `.inUse` when the id exists.
    func addSigningKey(_ key: SigningKey) async throws
    /// Sets when a key is to be forgotten.
    func retireSigningKey(id: String, at time: Date) async throws
    func removeSigningKey(id: String) async throws
}

/// Whom the edge serves: a value, replaced whole when the store's version moves.
package struct RoutingSnapshot: Sendable, Equatable {
    /// The version of the store it was read at.
    package let version: Int
    /// Live tunnels.
    package let tunnels: [UUID: TunnelRecord]
    /// Hostname to tunnel; names in lower case, wildcards as `*.rest`.
    package let routes: [String: UUID]
    /// The recent ones, oldest first.
    package let cleanups: [CleanupRequest]

    package init(version: Int, tunnels: [UUID: TunnelRecord], routes: [String: UUID], cleanups: [CleanupRequest]) {
        self.version = version
        self.tunnels = tunnels
        self.routes = routes
        self.cleanups = cleanups
    }

    /// The tunnel that serves a hostname (lower case, without port): the exact name, else the nearest wildcard above it,
    /// as in the DNS.
    package func tunnel(for hostname: String) -> TunnelRecord? {
        if let id = routes[hostname] { return tunnels[id] }
        var rest = hostname[...]
        while let dot = rest.firstIndex(of: ".") {
            if let id = routes["*" + rest[dot...]] { return tunnels[id] }
            rest = rest[rest.index(after: dot)...]
        }
        return nil
    }
}

/// How many cleanup requests a store keeps: more than an edge can miss between two looks.
let keptCleanups = 256

/// Which sessions are to end.
package enum SessionSelection: Hashable, Sendable {
    case id(AccessSession.ID)
    /// By the user's id with us, or by address regardless of case.
    case user(String)
    case all

    package func covers(_ session: AccessSession) -> Bool {
        switch self {
        case .id(let id): session.id == id
        case .user(let user):
            session.profile.userID == user
                || session.profile.email.map { ExactText(folding: $0) == ExactText(folding: user) } ?? false
        case .all: true
        }
    }
}
