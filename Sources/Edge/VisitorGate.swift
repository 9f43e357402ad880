package import Access
import AccessPolicy
import ByteStream
import EdgeTransport
import FoundationEssentials
package import Logging
import NIOCore
import NIOHTTP1
import TunnelConfig

/// Decides what becomes of each visitor's request: the account API, a refusal, or a stream to a connector.
///
/// Called on event loops; decides from snapshots without waiting. Only a host that the snapshots do not let pass gets a
/// second look, after both were read anew. Lives as long as the edge.
package struct VisitorGate: Sendable {
    /// The names the edge answers itself.
    package struct Names: Sendable {
        /// Host of the account API.
        package var api: String
        /// The zone the edge serves, which its certificate covers.
        package var zone: String
        /// Host of the Access team domain; no tunnel may speak for it.
        package var team: String

        package init(api: String, zone: String, team: String) {
            self.api = api
            self.zone = zone
            self.team = team
        }
    }

    let names: Names
    let limits: EdgeLimits
    let routes: RoutingTable
    let policies: PolicyCache
    let refreshRoutes: @Sendable () async -> Void
    let account: AccountAPI?
    let asides: Asides
    let logger: Logger

    /// - Parameters:
    ///   - refreshRoutes: reads the store so that `routes` is current.
    ///   - account: answers the account API; nil: there is none.
    package init(
        names: Names, limits: EdgeLimits, routes: RoutingTable, policies: PolicyCache,
        refreshRoutes: @escaping @Sendable () async -> Void, account: AccountAPI?, asides: Asides, logger: Logger
    ) {
        self.names = names
        self.limits = limits
        self.routes = routes
        self.policies = policies
        self.refreshRoutes = refreshRoutes
        self.account = account
        self.asides = asides
        self.logger = logger
    }

    /// A request head has come in. On its event loop.
    package func arrived(_ exchange: VisitorExchange) {
        let request = exchange.request
        if request.isWebSocket, exchange.hasBody {
            exchange.respond(with: .refused(.init(status: 400, reason: "an upgrade with a body")))
            return
        }
        if let account, isAccountHost(request.host, exchange.connection) {
            AccountCall.begin(exchange, api: account, asides: asides, limits: limits)
            return
        }
        // These are the edge's own, whatever a wildcard route covers (access-protocol section 3.3, step 4).
        guard request.host != names.team, !(CanonicalPath(request.path)?.mayBeBelow("/cdn-cgi/access") ?? true) else {
            exchange.respond(with: .unknownHost(request.host))
            return
        }
        if let serverName = exchange.connection.serverName, serverName != request.host, isOwn(serverName) {
            exchange.respond(with: .misdirected(request.host, serverName: serverName))
            return
        }
        decide(exchange, isSecondLook: false)
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

    // MARK: Admission

    private enum Verdict {
        /// With the answer in case that there are no links and none comes.
        case pass([RoutedLink], none: EdgePage, serviceToken: String?)
        /// Refused; whether a change that we have not seen yet could be the reason.
        case refuse(EdgePage, mayBeStale: Bool)
    }

    private func decide(_ exchange: VisitorExchange, isSecondLook: Bool) {
        switch verdict(exchange) {
        case .pass(let links, let none, let serviceToken):
            if let serviceToken {
                logger.debug(
                    "Visitor admitted",
                    metadata: metadata(exchange, ["serviceTokenID": "\(serviceToken)"]))
            }
            let relay = OriginRelay(
                exchange: exchange, none: none, limits: limits, logger: logger,
                links: { [routes] in
                    routes.look(up: exchange.request.host, near: exchange.eventLoop).links
                }
            ) { [policies] in
                // A policy that cannot be read at the moment is no withdrawal; whoever comes anew is refused meanwhile.
                let snapshot = policies.snapshot
                return !snapshot.isAvailable || Self.decide(exchange, by: snapshot).isForward
            }
            relay.start(on: links)
        case .refuse(let page, let mayBeStale):
            guard mayBeStale, !isSecondLook, lookAgain(exchange) else {
                logger.info(
                    "Visitor refused",
                    metadata: metadata(exchange, ["status": "\(page.status)", "reason": "\(page.message)"]))
                exchange.respond(with: page)
                return
            }
        }
    }

    private func verdict(_ exchange: VisitorExchange) -> Verdict {
        let request = exchange.request
        let route = routes.look(up: request.host, near: exchange.eventLoop)
        if case .unknownHost = route { return .refuse(.unknownHost(request.host), mayBeStale: true) }
        let snapshot = policies.snapshot
        guard snapshot.isAvailable else { return .refuse(.policyUnknown(), mayBeStale: true) }
        let application: AccessApplication
        var serviceToken: String?
        switch Self.decide(exchange, by: snapshot) {
        case .bypass(let admitted, _): application = admitted
        case .forward(let admitted, _, let admission):
            application = admitted
            if case .serviceToken(let id) = admission.subject { serviceToken = id.rawValue }
        case .serviceTokenNeeded(_, .missing), .loginNeeded(_, .missing):
            return .refuse(.tokenMissing(request.host), mayBeStale: false)
        case .serviceTokenNeeded, .loginNeeded: return .refuse(.tokenWrong(request.host), mayBeStale: true)
        case .unguarded, .refused, .denied: return .refuse(.closed(request.host), mayBeStale: true)
        }
        if !application.isOpen, request.isWebSocket, hasForeignOrigin(request) {
            return .refuse(.foreignOrigin(request.host), mayBeStale: false)
        }
        switch route {
        case .unknownHost: return .refuse(.unknownHost(request.host), mayBeStale: false)
        case .noConnector(let tunnel, let lost):
            let page = EdgePage.noConnector(request.host, tunnel: tunnel)
            guard let lost, .now() < lost + limits.newLink else { return .refuse(page, mayBeStale: false) }
            return .pass([], none: page, serviceToken: serviceToken)
        case .links(let links):
            return .pass(links, none: .connectorsBusy(request.host), serviceToken: serviceToken)
        }
    }

    private static func decide(_ exchange: VisitorExchange, by snapshot: AccessSnapshot) -> AccessDecision {
        let request = exchange.request
        guard let address = IPAddress(exchange.connection.visitor) else { return .refused(.notAHost) }
        var token: PresentedServiceToken?
        if let id = request.headers.only("cf-access-client-id"),
            let secret = request.headers.only("cf-access-client-secret")
        {
            token = PresentedServiceToken(clientID: id, clientSecret: ServiceTokenSecret(secret))
        }
        return snapshot.configuration.decide(
            RequestFacts(authority: request.authority, target: request.path, address: address), identity: nil,
            serviceToken: token, now: Date())
    }

    /// Whether a page of another site opens this WebSocket (access-protocol section 3.13, 6).
    private func hasForeignOrigin(_ request: VisitorRequest) -> Bool {
        request.headers["origin"].contains { origin in
            guard let authority = origin.split(separator: "/").last, origin.hasPrefix("https://") else { return true }
            return VisitorRequest.hostName(String(authority)) != request.host
        }
    }

    /// Reads policy and routes anew, then decides again. False when that cannot be done.
    private func lookAgain(_ exchange: VisitorExchange) -> Bool {
        asides.add { [self] in
            _ = await withDeadline(.seconds(5)) {
                try? await policies.refreshNow()
                await refreshRoutes()
            }
            exchange.eventLoop.execute { decide(exchange, isSecondLook: true) }
        }
    }

    private func metadata(_ exchange: VisitorExchange, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(
            [
                "host": "\(exchange.request.host)", "visitor": "\(exchange.connection.visitor)",
                "ray": "\(exchange.ray)",
            ]
        ) { first, _ in first }
    }
}

extension HTTPHeaders {
    /// The value of a header that may be there once only; nil when it is absent or repeated.
    fileprivate func only(_ name: String) -> String? {
        let values = self[name]
        return values.count == 1 ? values.first : nil
    }
}
