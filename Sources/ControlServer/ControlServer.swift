package import EdgeStore
package import Foundation
import Hummingbird
package import Logging
package import NIOCore

/// The account API of the edge: what `cloudflared tunnel create|list|info|delete|token|cleanup|route|vnet` talk to.
///
/// Has no listener of its own: whoever accepts HTTPS hands each request of the API's host name to `respond`. Answers
/// come from the store only, so the API works on every edge of a cluster. Keeps nothing between requests.
package struct ControlServer: Sendable {
    /// A whole answer.
    package struct Reply: Sendable {
        package let status: Int
        /// Content length included.
        package let headers: [(name: String, value: String)]
        package let body: ByteBuffer
    }

    /// Where a request comes from, as the audit log has it.
    package struct Caller: Sendable {
        let address: String
        let ray: String

        /// - Parameter address: without port.
        package init(address: String, ray: String) {
            self.address = address
            self.ray = ray
        }
    }

    /// Every path of the API starts so.
    package static let basePath = "/client/v4"
    /// Bytes of a request's body that are looked at; the listener should refuse more with 413.
    package static let largestBody = 1 << 20

    private let responder: any HTTPResponder<ControlContext>
    private let logger: Logger

    /// - Parameters:
    ///   - store: asked anew for every request.
    ///   - audit: where changes of Access are recorded.
    ///   - now: time of creations and deletions.
    package init(
        store: any ClusterStore, audit: AuditLog? = nil, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.logger = logger
        let router = Router(context: ControlContext.self)
        let calls = router.group(RouterPath(Self.basePath)).add(middleware: BearerAuthentication(store: store))
        TunnelCalls(store: store, now: now).add(to: calls)
        RouteCalls(store: store, now: now).add(to: calls)
        NetworkRouteCalls(store: store, now: now).add(to: calls)
        VirtualNetworkCalls(store: store, now: now).add(to: calls)
        let record = AccessRecord(audit: audit, now: now)
        AccessCalls(store: store, record: record, now: now).add(to: calls)
        ServiceTokenCalls(store: store, record: record, now: now).add(to: calls)
        responder = router.buildResponder()
    }

    /// Answers one request. Never throws: what goes wrong is an answer too.
    ///
    /// - Parameters:
    ///   - method: such as `GET`.
    ///   - path: with the query.
    ///   - headers: of the request; names in any case.
    ///   - body: whole, at most `largestBody` bytes.
    ///   - caller: for the audit log.
    package func respond(
        method: String, path: String, headers: [(name: String, value: String)], body: ByteBuffer,
        from caller: Caller? = nil
    ) async -> Reply {
        let response: Response
        do {
            response = try await call(method: method, path: path, headers: headers, body: body, caller)
        } catch {
            response = Answer.failure(error, logger: logger)
        }
        // The path holds ids only, the query may hold names; neither is a secret.
        logger.debug(
            "Account API call",
            metadata: ["method": "\(method)", "path": "\(path.prefix(256))", "status": "\(response.status.code)"])
        return await Reply(response)
    }

    private func call(
        method: String, path: String, headers: [(name: String, value: String)], body: ByteBuffer, _ caller: Caller?
    ) async throws -> Response {
        guard body.readableBytes <= Self.largestBody else {
            throw Refusal(.contentTooLarge, code: 1003, "the body has more than \(Self.largestBody >> 20) MiB")
        }
        guard let method = HTTPRequest.Method(rawValue: method) else {
            throw Refusal(.badRequest, code: 1003, "this is no HTTP method")
        }
        var head = HTTPRequest(method: method, scheme: "https", authority: nil, path: path)
        // All that the API looks at besides the body.
        head.headerFields[.authorization] = headers.first { $0.name.lowercased() == "authorization" }?.value
        let request = Request(head: head, body: RequestBody(buffer: body))
        return try await responder.respond(
            to: request, context: ControlContext(source: ControlContext.Source(logger: logger, caller: caller)))
    }
}

/// What one request carries through the router.
struct ControlContext: RequestContext {
    struct Source: RequestContextSource {
        let logger: Logger
        let caller: ControlServer.Caller?
    }

    let caller: ControlServer.Caller?
    var coreContext: CoreRequestContextStorage
    /// Set by `BearerAuthentication`.
    var account: Account?

    init(source: Source) {
        caller = source.caller
        coreContext = CoreRequestContextStorage(source: source)
    }

    /// The same, where the path names it too.
    func account(named parameter: String) throws -> Account {
        let account = try authenticated()
        guard parameters.get(parameter) == account.id else {
            throw Refusal.notFound("this edge has no such account; use the cert.pem of this edge")
        }
        return account
    }

    /// The account the request has proved to act for.
    func authenticated() throws -> Account {
        guard let account else { throw Refusal.unauthorized("no valid token") }
        return account
    }
}

/// Lets a request through that carries the account's token.
struct BearerAuthentication: RouterMiddleware {
    let store: any ClusterStore

    @concurrent func handle(
        _ request: Request, context: ControlContext,
        next: @concurrent (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        guard let value = request.headers[.authorization] else {
            throw Refusal.unauthorized("the request has no Authorization header; send \"Bearer TOKEN\"")
        }
        let account = try await store.account()
        let scheme = "bearer "
        guard value.lowercased().hasPrefix(scheme), account.accepts(token: value.utf8.dropFirst(scheme.utf8.count))
        else {
            throw Refusal.unauthorized("the token is not this account's; use the cert.pem of this edge")
        }
        var context = context
        context.account = account
        return try await next(request, context)
    }
}
