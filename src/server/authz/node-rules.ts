import type { PolicyRule } from '../../api/types.gen.ts';
import { SETTINGS_PATH } from '../../client/join-paths.ts';
import { CREATE, READ, rule, urls } from './policy-rule.ts';

/** What a node may do wherever no object of somebody else is concerned (upstream's NodeRules). */
export function nodeRules(): PolicyRule[] {
  return [
    rule(CREATE, ['authentication.k8s.io'], ['tokenreviews']),
    rule(CREATE, ['authorization.k8s.io'], ['localsubjectaccessreviews', 'subjectaccessreviews']),
    rule(READ, [''], ['services']),
    rule(['create', 'get', 'list', 'watch'], [''], ['nodes']),
    rule(['patch', 'update'], [''], ['nodes/status']),
    rule(['patch', 'update'], [''], ['nodes']),
    rule(['create', 'patch', 'update'], [''], ['events']),
    rule(READ, [''], ['pods']),
    rule(['create', 'delete'], [''], ['pods']),
    rule(['patch', 'update'], [''], ['pods/status']),
    rule(CREATE, [''], ['pods/eviction']),
    rule(READ, [''], ['configmaps', 'secrets']),
    rule(['get'], [''], ['persistentvolumeclaims', 'persistentvolumes']),
    rule(['get'], [''], ['endpoints']),
    rule(['create', 'get', 'list', 'watch'], ['certificates.k8s.io'], ['certificatesigningrequests']),
    rule(['create', 'delete', 'get', 'patch', 'update'], ['coordination.k8s.io'], ['leases']),
    rule(['get'], ['storage.k8s.io'], ['volumeattachments']),
    rule(CREATE, [''], ['serviceaccounts/token']),
    rule(['get', 'patch', 'update'], [''], ['persistentvolumeclaims/status']),
    rule(READ, ['storage.k8s.io'], ['csidrivers']),
    rule(['create', 'delete', 'get', 'patch', 'update'], ['storage.k8s.io'], ['csinodes']),
    rule(READ, ['node.k8s.io'], ['runtimeclasses']),
    rule(['get'], ['resource.k8s.io'], ['resourceclaims']),
    rule(['deletecollection'], ['resource.k8s.io'], ['resourceslices']),
    rule(READ, ['certificates.k8s.io'], ['clustertrustbundles']),
    rule(['get'], [''], ['serviceaccounts']),
    rule(['create', 'get', 'list', 'watch'], ['certificates.k8s.io'], ['podcertificaterequests']),
  ];
}

/**
 * What an agent needs besides, since it is also the node's service proxy, resolver, firewall and overlay. None of
 * it is secret.
 */
export function agentRules(): PolicyRule[] {
  return [
    rule(READ, [''], ['endpoints', 'namespaces', 'nodes', 'pods', 'services']),
    rule(READ, ['discovery.k8s.io'], ['endpointslices']),
    rule(READ, ['networking.k8s.io'], ['networkpolicies', 'servicecidrs']),
    urls(['get'], [SETTINGS_PATH]),
  ];
}
