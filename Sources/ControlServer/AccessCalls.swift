import AccessPolicy
import ControlAPI
import EdgeStore
import Foundation
import Hummingbird

/// `/accounts/A/access/apps|groups|identity_providers`: what Access decides by. Each change is checked as a whole.
struct AccessCalls: Sendable {
    let store: any ClusterStore
    let record: AccessRecord
    let now: @Sendable () -> Date

    func add(to calls: RouterGroup<ControlContext>) {
        let access = calls.group("accounts/:account/access")
        for (name, kind) in [
            ("apps", AccessDocument.Kind.application), ("groups", .group), ("identity_providers", .identityProvider),
        ] {
            let things = access.group(RouterPath(name))
            things.get("") { request, context in try await list(kind, request, context) }
            things.post("") { request, context in try await create(kind, request, context) }
            things.get(":id") { _, context in
                try Answer.success(try AccessShape.shown(try await document(kind, context)))
            }
            things.put(":id") { request, context in try await replace(kind, request, context) }
            things.delete(":id") { _, context in try await remove(kind, context) }
        }
        access.post("apps/:id/revoke_tokens", use: revoke)
        access.get("apps/:id/policies", use: policies)
        access.post("apps/:id/policies", use: addPolicy)
        access.get("apps/:id/policies/:policy", use: policy)
        access.put("apps/:id/policies/:policy", use: replacePolicy)
        access.delete("apps/:id/policies/:policy", use: removePolicy)
        access.post("organizations/revoke_user", use: revokeUser)
    }

    // MARK: Documents

    private func list(
        _ kind: AccessDocument.Kind, _ request: Request, _ context: ControlContext
    ) async throws -> Response {
        _ = try context.account(named: "account")
        let documents = try await store.accessDocuments().documents.filter { $0.kind == kind }
        return try Answer.list(documents, request, AccessShape.shown)
    }

    private func create(
        _ kind: AccessDocument.Kind, _ request: Request, _ context: ControlContext
    ) async throws -> Response {
        _ = try context.account(named: "account")
        let sent = try await request.json(JSONValue.self)
        let id = UUID().uuidString.lowercased()
        let document = try AccessShape.document(kind, id: id, sent, former: nil)
        return try await put(document, expecting: nil, context)
    }

    private func replace(
        _ kind: AccessDocument.Kind, _ request: Request, _ context: ControlContext
    ) async throws -> Response {
        let sent = try await request.json(JSONValue.self)
        return try await edit(kind, context) { former in
            try AccessShape.document(kind, id: former.id, sent, former: try AccessShape.value(former))
        }
    }

    private func remove(_ kind: AccessDocument.Kind, _ context: ControlContext) async throws -> Response {
        let id = try await document(kind, context).id
        try await store.changeAccess([.remove(kind, id: id)], expecting: nil)
        record.record("\(kind.rawValue) \(id) removed", context)
        return try Answer.success(["id": id])
    }

    private func document(_ kind: AccessDocument.Kind, _ context: ControlContext) async throws -> AccessDocument {
        try await read(kind, context).document
    }

    private func read(
        _ kind: AccessDocument.Kind, _ context: ControlContext
    ) async throws -> (document: AccessDocument, version: Int) {
        _ = try context.account(named: "account")
        let id = context.parameters.get("id") ?? ""
        let (documents, version) = try await store.accessDocuments()
        guard let document = documents.first(where: { $0.kind == kind && $0.id == id }) else {
            throw Refusal.notFound("there is no \(kind.rawValue) of that id")
        }
        return (document, version)
    }

    /// Works out a document from the one that is there and puts it in its place; once more when the store was changed
    /// meanwhile, as every login does.
    private func edit(
        _ kind: AccessDocument.Kind, _ context: ControlContext, _ work: (AccessDocument) throws -> AccessDocument
    ) async throws -> Response {
        var attempt = 0
        while true {
            attempt += 1
            let (former, version) = try await read(kind, context)
            do {
                return try await put(try work(former), expecting: version, context)
            } catch let error as StoreError where error.code == .conflict && attempt < 20 {
                continue
            }
        }
    }

    private func put(
        _ document: AccessDocument, expecting version: Int?, _ context: ControlContext
    ) async throws -> Response {
        try context.authenticated().check(try AccessFile([document], isWhole: false).applications)
        try await store.changeAccess([.put(document)], expecting: version)
        record.record("\(document) set", context)
        // As it is kept, with what was left to us.
        return try Answer.success(try AccessShape.shown(try AccessFile.plain(document)))
    }

    @Sendable private func revoke(_ request: Request, _ context: ControlContext) async throws -> Response {
        let document = try await document(.application, context)
        let audience = try AccessShape.value(document).object["aud"]?.text ?? ""
        try await store.revokeTokens(ofAudience: audience, before: now())
        record.record("tokens of \(document.id) revoked", as: .revoke, context)
        return try Answer.success(APINothing())
    }

    @Sendable private func revokeUser(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        guard let email = try await request.json(JSONValue.self).object["email"]?.text, !email.isEmpty else {
            throw Refusal.invalid("email is missing")
        }
        let count = try await store.endSessions(.user(email), at: now())
        record.record("\(count) sessions of \(email) ended", as: .revoke, context)
        return try Answer.success(true)
    }

    // MARK: Policies

    @Sendable private func policies(_ request: Request, _ context: ControlContext) async throws -> Response {
        let policies = try AccessShape.value(try await document(.application, context)).object["policies"]?.array ?? []
        return try Answer.list(policies, request) { $0 }
    }

    @Sendable private func policy(_ request: Request, _ context: ControlContext) async throws -> Response {
        let document = try AccessShape.value(try await document(.application, context))
        let policies = document.object["policies"]?.array ?? []
        return try Answer.success(policies[try Self.index(context, policies)])
    }

    @Sendable private func addPolicy(_ request: Request, _ context: ControlContext) async throws -> Response {
        let sent = try await request.json(JSONValue.self)
        let id = UUID().uuidString.lowercased()
        return try await editPolicies(context, shown: id) { $0.append(AccessShape.policy(id: id, sent)) }
    }

    @Sendable private func replacePolicy(_ request: Request, _ context: ControlContext) async throws -> Response {
        let sent = try await request.json(JSONValue.self)
        let id = context.parameters.get("policy") ?? ""
        return try await editPolicies(context, shown: id) { policies in
            policies[try Self.index(context, policies)] = AccessShape.policy(id: id, sent)
        }
    }

    @Sendable private func removePolicy(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try await editPolicies(context, shown: nil) { $0.remove(at: try Self.index(context, $0)) }
        return try Answer.success(["id": context.parameters.get("policy") ?? ""])
    }

    private func editPolicies(
        _ context: ControlContext, shown id: String?, _ change: (inout [JSONValue]) throws -> Void
    ) async throws -> Response {
        let answer = try await edit(.application, context) { former in
            var object = try AccessShape.value(former).object
            var policies = object["policies"]?.array ?? []
            try change(&policies)
            object["policies"] = .array(policies)
            return AccessDocument(kind: .application, id: former.id, json: try AccessShape.text(.object(object)))
        }
        guard let id else { return answer }
        let document = try AccessShape.value(try await document(.application, context))
        let policies = document.object["policies"]?.array ?? []
        return try Answer.success(policies.first { $0.object["id"] == .string(id) } ?? .null)
    }

    private static func index(_ context: ControlContext, _ policies: [JSONValue]) throws -> Int {
        let id = context.parameters.get("policy") ?? ""
        guard let index = policies.firstIndex(where: { $0.object["id"] == .string(id) }) else {
            throw Refusal.notFound("the application has no policy of that id")
        }
        return index
    }
}
