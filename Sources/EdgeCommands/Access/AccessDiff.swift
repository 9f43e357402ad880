import AccessPolicy
import Foundation

/// What makes one Access configuration out of another, and how to show it. Secrets are shown as changed or not.
struct AccessDiff {
    private(set) var changes: [AccessDocument.Change] = []
    private(set) var lines: [String] = []

    /// What is not in `new` is removed.
    init(from old: [AccessDocument], to new: [AccessDocument]) throws {
        for document in new {
            let former = old.first { $0.kind == document.kind && $0.id == document.id }
            guard former != document else { continue }
            changes.append(.put(document))
            lines.append("\(former == nil ? "+" : "~") \(document)")
            let isNewSecret = try former.map { try $0.secret != document.secret } ?? false
            let before = try former?.text(as: AccessDocument.redaction) ?? []
            let after = try document.text(as: AccessDocument.redaction + (isNewSecret ? " (another)" : ""))
            lines += Self.difference(before, after)
        }
        for document in old where !new.contains(where: { $0.kind == document.kind && $0.id == document.id }) {
            changes.append(.remove(document.kind, id: document.id))
            lines.append("- \(document)")
        }
    }

    /// The lines that go and come, each at its place.
    private static func difference(_ before: [String], _ after: [String]) -> [String] {
        let difference = after.difference(from: before)
        var result: [(offset: Int, order: Int, text: String)] = []
        for removal in difference.removals {
            if case .remove(let offset, let text, _) = removal { result.append((offset, 0, "    - \(text)")) }
        }
        for insertion in difference.insertions {
            if case .insert(let offset, let text, _) = insertion { result.append((offset, 1, "    + \(text)")) }
        }
        return result.sorted { ($0.offset, $0.order) < ($1.offset, $1.order) }.map(\.text)
    }
}

extension AccessDocument {
    /// What stands for a secret. Applied, it leaves the secret as it is.
    static let redaction = "(redacted)"

    func object() throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] ?? [:]
    }

    fileprivate var secret: String? {
        get throws { (try object()["config"] as? [String: Any])?["client_secret"] as? String }
    }

    func redacted(as word: String) throws -> [String: Any] {
        var object = try object()
        guard var config = object["config"] as? [String: Any], config["client_secret"] != nil else { return object }
        config["client_secret"] = word
        object["config"] = config
        return object
    }

    fileprivate func text(as word: String) throws -> [String] {
        let data = try JSONSerialization.data(
            withJSONObject: try redacted(as: word), options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst().dropLast().map(String.init)
    }
}

extension AccessDocument.Kind {
    /// What its documents stand under in `access.yml`.
    var key: String { self == .settings ? "" : "\(rawValue)s" }
}
