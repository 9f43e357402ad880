import Foundation
import Testing

@Suite struct RouteCallTests {
    private let api = API()

    @Test func `a hostname is new, unchanged, taken, then updated`() async {
        let (one, two) = (await api.create("one"), await api.create("two"))
        let first = await api.route("RDP.site.localhost", to: one)
        #expect(first.status == 200)
        #expect(first.object as? [String: String] == ["cname": "new", "name": "rdp.site.localhost"])
        #expect(await api.route("rdp.site.localhost", to: one).object["cname"] as? String == "unchanged")
        let taken = await api.route("rdp.site.localhost", to: two)
        #expect(taken.status == 409)
        #expect(taken.message.contains("\"one\" (\(one))"))
        #expect(await api.route("rdp.site.localhost", to: two, overwrite: true).object["cname"] as? String == "updated")
        #expect(await api.route("*.site.localhost", to: one).status == 200)
    }

    @Test func `what cannot be routed says why`() async {
        let id = await api.create("one")
        let outside = await api.route("rdp.other.test", to: id)
        #expect(outside.status == 400)
        #expect(outside.message.contains("not inside this edge's zone site.localhost"))
        #expect(await api.route("api.site.localhost", to: id).message.contains("answered by the edge itself"))
        #expect(await api.route("", to: id).message.contains("user_hostname is missing"))
        #expect(await api.route("a b.site.localhost", to: id).status == 400)
        #expect(await api.route("a.site.localhost", to: id, type: "lb").message.contains("no load balancer pools"))
        #expect(await api.route("a.site.localhost", to: id, type: "x").message.contains("type dns only"))
        #expect(await api.route("a.site.localhost", to: UUID().uuidString).status == 404)
        #expect(await api.route("a.site.localhost", to: "x").status == 400)
        let otherZone = await api.call("PUT", "/zones/other/tunnels/\(id)/routes", body: "{}")
        #expect(otherZone.status == 404)
        let noJSON = await api.call("PUT", "/zones/\(API.zoneID)/tunnels/\(id)/routes", body: "{{")
        #expect(noJSON.status == 400)
    }
}
