import Access
import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOHTTP1
import ServiceHost

/// Decides what becomes of each visitor's request, in the order of access-protocol section 3.3: the account API, something
/// that the Access service answers, a refusal, or a stream to a connector.
///
/// Called on event loops; decides from snapshots without waiting. Only who is not let pass by what is known gets another
/// look, after a token was verified or the snapshots were read anew. Lives as long as the edge.
package struct VisitorGate: Sendable {
    /// The names the edge answers itself.
    package struct Names: Sendable {
        /// Host of the account API.
        package var api: String
        /// The zone the edge serves, which its certificate covers.
        package var zone: String
        /// Host of the Access team domain; no tunnel may speak for it.
        package var team: String
        /// Host of the token transfer store, beside the official one's name.
        package var store: String

        /// - Parameter store: nil: `login.` in the zone.
        package init(api: String, zone: String, team: String, store: String? = nil) {
            self.api = api
            self.zone = zone
            self.team = team
            self.store = store ?? "login.\(zone)"
        }

        /// Compiled into official clients (access-protocol section 0, 4).
        static let officialStore = "login.cloudflareaccess.org"
    }

    let names: Names
    let limits: EdgeLimits
    let routes: RoutingTable
    let policies: PolicyCache
    let looks: SecondLooks
    let account: AccountAPI?
    let access: AccessDesk?
    let streams: OpenStreams
    let record: GateRecord
    let asides: Asides
    let failures = FailureLimiter()
    let logger: Logger

    /// - Parameters:
    ///   - looks: make `policies` and `routes` current; whoever owns them runs them.
    ///   - account: answers the account API; nil: there is none.
    ///   - access: answers for people and tokens; nil: only service tokens open what is not open.
    init(
        names: Names, limits: EdgeLimits, routes: RoutingTable, policies: PolicyCache,
        looks: SecondLooks, account: AccountAPI?, access: AccessDesk?, streams: OpenStreams, record: GateRecord,
        asides: Asides, logger: Logger
    ) {
        self.names = names
        self.limits = limits
        self.routes = routes
        self.policies = policies
        self.looks = looks
        self.account = account
        self.access = access
        self.streams = streams
        self.record = record
        self.asides = asides
        self.logger = logger
    }

    /// A request head has come in. On its event loop.
    func arrived(_ exchange: VisitorExchange) {
        let request = exchange.request
        if request.isWebSocket, exchange.hasBody {
            exchange.respond(with: .refused(.init(status: 400, reason: "an upgrade with a body")))
            return
        }
        if let account, isAccountHost(request.host, exchange.connection) {
            AccountCall.begin(exchange, api: account, asides: asides, limits: limits)
            return
        }
        if let serverName = exchange.connection.serverName, serverName != request.host, isOwn(serverName) {
            exchange.respond(with: .misdirected(request.host, serverName: serverName))
            return
        }
        // These are the edge's own, whatever a wildcard route covers.
        let isTeam = request.host == names.team
        guard isTeam || request.host == names.store || request.host == Names.officialStore else {
            admit(exchange)
            return
        }
        guard let access else { return exchange.respond(with: .unknownHost(request.host)) }
        access.answer(isTeam ? .own(nil) : .store, exchange)
    }

    private func isAccountHost(_ host: String, _ connection: VisitorConnection) -> Bool {
        host == names.api || host == connection.local
            || host == "localhost" && (connection.local == "127.0.0.1" || connection.local == "::1")
    }

    /// Whether a TLS name is one that this edge serves. Names outside the zone reach us by an override of the address
    /// (`--connect-to`) and say nothing about the host that is meant.
    private func isOwn(_ serverName: String) -> Bool {
        serverName != "localhost" && (serverName == names.zone || serverName.hasSuffix("." + names.zone))
    }

    func metadata(_ exchange: VisitorExchange, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(
            [
                "host": "\(exchange.request.host)", "visitor": "\(exchange.connection.visitor)",
                "ray": "\(exchange.ray)",
            ]
        ) { first, _ in first }
    }
}
