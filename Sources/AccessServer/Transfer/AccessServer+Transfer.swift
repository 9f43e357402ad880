import Access
import AccessPolicy
import Foundation
import Logging
import NIOCore
import NIOHTTP1

/// The transfer store's host (access-protocol sections 2.10 and 3.2).
extension AccessServer {
    func transfer(_ call: Call) async -> AccessResponse {
        let ray = call.request.ray
        var parts = call.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        let kind: TransferStore.Kind = parts.first == "transfer" ? .tokens : .certificate
        if kind == .tokens { parts = parts.dropFirst() }
        // Clients before May 2021 say so when they have what they came for.
        if call.method == .put, parts.count == 2, parts.last == "ok" { return .plain(status: 200) }
        // Programs ask here. A page that has a browser ask would pass off somebody's address for its own.
        guard call.request.headers["sec-fetch-site"].isEmpty, call.request.headers["origin"].isEmpty else {
            return Pages.notFound().response(ray: ray)
        }
        guard call.method == .get, parts.count == 1, let text = parts.first.map(String.init),
            // Its padding may come encoded.
            let key = SealedBox.PublicKey(text: text.replacing("%3D", with: "=").replacing("%3d", with: "="))
        else { return Pages.notFound().response(ray: ray) }
        switch await transfers.poll(TransferStore.Key(kind, key), from: call.request.address) {
        case .nothing: return .plain(status: 404, body: "Nothing yet: ask again.\n")
        case .tooMany: return .plain(status: 429, body: "Too many requests wait for this key or from this address.\n")
        case .delivery(let delivery):
            var response = AccessResponse.plain(status: 200, body: delivery.body)
            if let sender = delivery.sender {
                response.headers.add(name: "service-public-key", value: sender.text)
            }
            return response
        }
    }
}
