use serde_json::json;

use super::{has_check, loaded, wanted};
use crate::{
    core::connector::form::Access,
    draft::{Error, Wanted, odata},
};

const V4: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="Acme.Sales" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EntityType Name="Thing" Abstract="true">
        <Key><PropertyRef Name="ID"/></Key>
        <Property Name="ID" Type="Edm.Guid" Nullable="false"/>
        <Property Name="modifiedAt" Type="Edm.DateTimeOffset"><Annotation Term="Org.OData.Core.V1.Computed" Bool="true"/></Property>
      </EntityType>
      <EntityType Name="Customer" BaseType="Self.Thing">
        <Property Name="code" Type="Edm.String" Nullable="false"/>
        <Property Name="email" Type="Edm.String"/>
        <Property Name="creditLimit" Type="Edm.Decimal" Scale="2" Precision="16"/>
        <Property Name="status" Type="Self.Status"/>
        <Property Name="address" Type="Acme.Sales.Address"/>
        <Property Name="tags" Type="Collection(Edm.String)"/>
        <Property Name="photo" Type="Edm.Stream"/>
        <NavigationProperty Name="orders" Type="Collection(Self.Order)"/>
      </EntityType>
      <EntityType Name="OrderLine">
        <Key><PropertyRef Name="order"/><PropertyRef Name="line"/></Key>
        <Property Name="order" Type="Edm.String" Nullable="false"/>
        <Property Name="line" Type="Edm.Int32" Nullable="false"/>
      </EntityType>
      <ComplexType Name="Address"><Property Name="city" Type="Edm.String"/><Property Name="street" Type="Edm.String"/></ComplexType>
      <EnumType Name="Status"><Member Name="active"/><Member Name="blocked"/></EnumType>
      <EntityContainer Name="Service">
        <EntitySet Name="Customers" EntityType="Self.Customer">
          <Annotation Term="Org.OData.Core.V1.OptimisticConcurrency"><Collection/></Annotation>
          <Annotation Term="Org.OData.Capabilities.V1.DeleteRestrictions"><Record><PropertyValue Property="Deletable" Bool="false"/></Record></Annotation>
        </EntitySet>
        <EntitySet Name="OrderLines" EntityType="Acme.Sales.OrderLine"/>
      </EntityContainer>
      <Annotations Target="Self.Customer/code"><Annotation Term="Org.OData.Core.V1.Immutable"/></Annotations>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>"#;

#[test]
fn entity_sets_become_objects_with_keys_types_and_what_may_be_done() {
    let draft = odata::draft(
        V4.as_bytes(),
        &Wanted {
            address: Some("https://erp.example/odata/v4/sales/$metadata"),
            ..wanted()
        },
    )
    .unwrap();
    let form = loaded(&draft);
    assert_eq!(form.base_url, "{{ settings.base_url }}/odata/v4/sales");
    let customer = &form.objects["customer"];
    assert_eq!(
        (
            customer.id.as_str(),
            customer.updated_at.as_deref(),
            customer.version.as_deref()
        ),
        ("ID", Some("modifiedAt"), Some("@odata.etag"))
    );
    let field = |name: &str| {
        (
            customer.fields[name].kind.as_deref().unwrap(),
            customer.fields[name].access,
        )
    };
    assert_eq!(field("ID"), ("text", Access::CreateOnly));
    assert_eq!(field("modifiedAt"), ("datetime", Access::ReadOnly));
    assert_eq!(field("code"), ("text", Access::CreateOnly));
    assert_eq!(field("creditLimit"), ("decimal(2)", Access::ReadWrite));
    assert_eq!(field("address.city"), ("text", Access::ReadWrite));
    assert_eq!(field("tags").0, "list");
    assert!(!customer.fields.contains_key("photo") && !customer.fields.contains_key("orders"));
    let list = customer.list.as_ref().unwrap();
    assert_eq!(list.query["$filter"], "modifiedAt ge {{ since }}");
    assert_eq!(list.page.as_ref().unwrap().next_url.as_deref(), Some("@odata.nextLink"));
    assert_eq!(
        customer.get.as_ref().unwrap().get.as_deref(),
        Some("/Customers({{ id }})")
    );
    assert_eq!(customer.update.as_ref().unwrap().if_match.as_deref(), Some("If-Match"));
    assert!(customer.delete.is_none() && customer.create.is_some());
    assert_eq!(customer.find.as_ref().unwrap().fields, ["email", "code"]);
    let line = &form.objects["order_line"];
    assert_eq!(line.id, "order, line");
    assert_eq!(
        line.get.as_ref().unwrap().get.as_deref(),
        Some("/OrderLines(order='{{ ids[0] | replace(\"'\", \"''\") }}',line={{ ids[1] }})")
    );
    assert!(has_check(&draft, "/auth", "auth"));
    assert!(draft.yaml().unwrap().contains("one of: active, blocked"));
}

#[test]
fn version_2_has_its_own_pages_dates_and_keys() {
    let v2 = r#"<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:m="m" xmlns:sap="s">
      <edmx:DataServices m:DataServiceVersion="2.0"><Schema Namespace="N" xmlns="e">
        <EntityType Name="Partner"><Key><PropertyRef Name="Number"/></Key>
          <Property Name="Number" Type="Edm.String" Nullable="false" sap:updatable="false"/>
          <Property Name="TaxNumber" Type="Edm.String"/>
          <Property Name="LastChanged" Type="Edm.DateTime" sap:creatable="false" sap:updatable="false"/>
          <Property Name="Etag" Type="Edm.String" ConcurrencyMode="Fixed"/></EntityType>
        <EntityContainer Name="C"><EntitySet Name="Partners" EntityType="N.Partner" sap:deletable="false"/></EntityContainer>
      </Schema></edmx:DataServices></edmx:Edmx>"#;
    let form = loaded(&odata::draft(v2.as_bytes(), &wanted()).unwrap());
    let partner = &form.objects["partner"];
    assert_eq!(partner.version.as_deref(), Some("__metadata.etag"));
    assert_eq!(partner.updated_at.as_deref(), Some("LastChanged"));
    let list = partner.list.as_ref().unwrap();
    assert_eq!(
        (list.records.as_deref(), list.query["$filter"].as_str()),
        (Some("d.results"), Some("LastChanged ge datetime'{{ since }}'"))
    );
    assert_eq!(list.page.as_ref().unwrap().offset, Some(0));
    assert_eq!(partner.get.as_ref().unwrap().record.as_deref(), Some("d"));
    assert!(partner.delete.is_none());
    assert_eq!(form.settings["page_size"].default, Some(json!(200)));
}

#[test]
fn the_fields_of_a_set_are_found_by_its_name() {
    let fields = odata::fields(V4.as_bytes(), "Customers").unwrap().unwrap();
    assert!(
        fields
            .iter()
            .any(|field| field.path == "status" && field.options == ["active", "blocked"])
    );
    assert_eq!(odata::fields(V4.as_bytes(), "Nothing").unwrap(), None);
}

#[test]
fn a_document_type_and_other_documents_are_refused() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa">]><edmx:Edmx xmlns:edmx="e"/>"#;
    assert!(
        odata::draft(bomb.as_bytes(), &wanted())
            .unwrap_err()
            .to_string()
            .contains("DTD")
    );
    for other in ["<html><body/></html>", "<feed xmlns=\"http://www.w3.org/2005/Atom\"/>"] {
        assert!(
            matches!(odata::draft(other.as_bytes(), &wanted()), Err(Error::Another { .. })),
            "{other}"
        );
    }
    assert!(matches!(odata::draft(b"{}", &wanted()), Err(Error::Unreadable(_))));
}
